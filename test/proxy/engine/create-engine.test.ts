import { afterEach, describe, expect, test } from 'vitest';
import { ManualClock } from '../../../src/base/clock.ts';
import {
  createEngine,
  type EngineChoice,
  handleEngineRefusal,
} from '../../../src/proxy/engine/create-engine.ts';
import { probeLinux } from '../../../src/base/linux/probe.ts';
import { ringRefusal } from '../../../src/proxy/engine/linux/ring-probe.ts';
import type { Linux } from '../../../src/base/linux/system-calls.ts';

const node = process as unknown as { binding: unknown };
const { binding } = node;

function created(choice?: EngineChoice): { name: string; fallbacks: string[] } {
  const fallbacks: string[] = [];
  const { name } = createEngine({
    clock: new ManualClock(),
    ...(choice === undefined ? {} : { choice }),
    onFallback: (reason) => fallbacks.push(reason),
  });
  return { name, fallbacks };
}

describe('createEngine', () => {
  test('takes what was asked for', () => {
    expect(created('handle')).toEqual({ name: 'handle', fallbacks: [] });
    expect(created('net')).toEqual({ name: 'net', fallbacks: [] });
    expect(handleEngineRefusal()).toBeUndefined();
  });

  test('left to itself takes the fastest that works here', () => {
    const probe = probeLinux();
    const linuxName = (linux: Linux): string =>
      ringRefusal(linux) === undefined ? 'uring' : 'epoll';
    const expected = probe.kind === 'works' ? linuxName(probe.linux) : 'handle';
    expect(created().name).toBe(expected);
    expect(created('auto').name).toBe(expected);
  });

  test('on an architecture whose system calls it does not know takes the handles, and says so in a line', () => {
    expect(onArchitecture('riscv64', () => created('auto'))).toEqual({
      name: 'handle',
      fallbacks: [
        'the engine "handle" is used, on the main thread: it needs x64 or arm64, this is riscv64',
      ],
    });
    expect(() => onArchitecture('riscv64', () => created('uring'))).toThrow(
      /"uring" does not work here.*riscv64/,
    );
  });

  describe.each([
    ['no process.binding', undefined],
    ['bindings that are refused', (): never => fail('No such binding')],
    ['bindings of another shape', () => ({ TCP: Object, constants: {} })],
  ])('on a Node with %s', (_, instead) => {
    afterEach(() => {
      node.binding = binding;
    });

    test('and an unknown architecture takes node:net and says why', () => {
      node.binding = instead;
      const { name, fallbacks } = onArchitecture('riscv64', () => created('auto'));
      expect(name).toBe('net');
      expect(fallbacks).toEqual([
        expect.stringMatching(/TCP handles.*"net" is used/),
        expect.stringMatching(/"net" is used.*it needs x64 or arm64/),
      ]);
      expect(handleEngineRefusal()).toMatch(/TCP handles/);
    });

    test('refuses the handle engine by name, with what to do', () => {
      node.binding = instead;
      expect(() => created('handle')).toThrow(/"handle" does not work here.*use "auto" or "net"/);
    });
  });
});

function onArchitecture<T>(arch: string, run: () => T): T {
  const { arch: real } = process;
  Object.defineProperty(process, 'arch', { value: arch });
  try {
    return run();
  } finally {
    Object.defineProperty(process, 'arch', { value: real });
  }
}

function fail(message: string): never {
  throw new Error(message);
}
