import { afterEach, describe, expect, test } from 'vitest';
import { ManualClock } from '../../../src/base/clock.ts';
import {
  createEngine,
  type EngineChoice,
  handleEngineRefusal,
} from '../../../src/proxy/engine/create-engine.ts';
import { probeLinux } from '../../../src/base/linux/probe.ts';
import { SYS_IO_URING_SETUP } from '../../../src/proxy/engine/linux/ring-abi.ts';
import { ringRefusal } from '../../../src/proxy/engine/linux/ring-probe.ts';
import type { Linux } from '../../../src/base/linux/system-calls.ts';
import { withoutKoffi, withRefusedCall } from '../../support/with-koffi.ts';

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

  test('where koffi does not load takes the handles, and says so in one line each start', () => {
    const expected = {
      name: 'handle',
      fallbacks: [`the engine "handle" is used, on the main thread: Cannot find module 'koffi'`],
    };
    expect(withoutKoffi(() => [created(), created('auto')])).toEqual([expected, expected]);
    expect(() => withoutKoffi(() => created('epoll'))).toThrow(
      /"epoll" does not work here: Cannot find module 'koffi'; use "auto" or "net"/,
    );
  });

  test.skipIf(probeLinux().kind === 'refused').each([
    ['EPERM', 1, /it is not permitted \(EPERM\)|kernel\.io_uring_disabled=/],
    ['ENOSYS', 38, /does not know it \(ENOSYS\)/],
    ['ENOMEM', 12, /too little memory that may be locked \(ENOMEM/],
  ])(
    'where io_uring is refused with %s takes epoll, and says so in one line each start',
    (_, errno, why) => {
      const starts = withRefusedCall(SYS_IO_URING_SETUP, errno, () => [
        created(),
        created('auto'),
        created('uring'),
      ]);
      for (const { name, fallbacks } of starts) {
        expect(name).toBe('epoll');
        expect(fallbacks).toEqual([
          expect.stringMatching(/^no io_uring here, the engine "epoll" is used: .*$/),
        ]);
        expect(fallbacks[0]).toMatch(why);
      }
      expect(withRefusedCall(SYS_IO_URING_SETUP, errno, () => created('epoll'))).toEqual({
        name: 'epoll',
        fallbacks: [],
      });
    },
  );

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
