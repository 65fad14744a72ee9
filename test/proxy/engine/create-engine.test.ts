import { afterEach, describe, expect, test } from 'vitest';
import { ManualClock } from '../../../src/base/clock.ts';
import { createEngine, handleEngineRefusal } from '../../../src/proxy/engine/create-engine.ts';

const node = process as unknown as { binding: unknown };
const { binding } = node;

function created(choice?: 'auto' | 'net' | 'handle'): { name: string; fallbacks: string[] } {
  const fallbacks: string[] = [];
  const { name } = createEngine({
    clock: new ManualClock(),
    ...(choice === undefined ? {} : { choice }),
    onFallback: (reason) => fallbacks.push(reason),
  });
  return { name, fallbacks };
}

describe('createEngine', () => {
  test('takes what was asked for; left to itself the handles', () => {
    expect(created()).toEqual({ name: 'handle', fallbacks: [] });
    expect(created('auto')).toEqual({ name: 'handle', fallbacks: [] });
    expect(created('handle')).toEqual({ name: 'handle', fallbacks: [] });
    expect(created('net')).toEqual({ name: 'net', fallbacks: [] });
    expect(handleEngineRefusal()).toBeUndefined();
  });

  describe.each([
    ['no process.binding', undefined],
    ['bindings that are refused', (): never => fail('No such binding')],
    ['bindings of another shape', () => ({ TCP: Object, constants: {} })],
  ])('on a Node with %s', (_, instead) => {
    afterEach(() => {
      node.binding = binding;
    });

    test('takes node:net and says why, once', () => {
      node.binding = instead;
      const { name, fallbacks } = created('auto');
      expect(name).toBe('net');
      expect(fallbacks).toEqual([expect.stringMatching(/TCP handles.*"net" is used/)]);
      expect(handleEngineRefusal()).toMatch(/TCP handles/);
    });

    test('refuses the handle engine by name, with what to do', () => {
      node.binding = instead;
      expect(() => created('handle')).toThrow(/"handle" does not work here.*use "auto" or "net"/);
    });
  });
});

function fail(message: string): never {
  throw new Error(message);
}
