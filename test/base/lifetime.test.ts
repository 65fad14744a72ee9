import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Lifetime, openLifetimes } from '../../src/base/lifetime.ts';

test('ends children in reverse order, once', async () => {
  const ended: string[] = [];
  const lifetime = new Lifetime('test');
  lifetime.defer(() => void ended.push('first'));
  lifetime.defer(() => void ended.push('second'));
  await Promise.all([lifetime.close(), lifetime.close()]);
  expect(ended).toEqual(['second', 'first']);
  expect(lifetime.signal.aborted).toBe(true);
  expect(openLifetimes()).not.toContain('test');
});

test('close drains and dispose ends now', async () => {
  const calls: string[] = [];
  const resource = {
    close: async () => void calls.push('close'),
    [Symbol.asyncDispose]: async () => void calls.push('dispose'),
  };
  const drained = new Lifetime('drained');
  drained.own(resource);
  await drained.close();
  {
    await using ended = new Lifetime('ended');
    ended.own(resource);
  }
  expect(calls).toEqual(['close', 'dispose']);
});

test('one failure does not keep the others open', async () => {
  const lifetime = new Lifetime('failing');
  let released = false;
  lifetime.defer(() => {
    released = true;
  });
  lifetime.defer(() => {
    throw new Error('stuck');
  });
  await expect(lifetime.close()).rejects.toThrow('failing: stuck');
  expect(released).toBe(true);
  expect(openLifetimes()).not.toContain('failing');
});

test('owning after the end is a mistake that shows', async () => {
  const lifetime = new Lifetime('over');
  await lifetime.close();
  expect(() => lifetime.defer(() => undefined)).toThrow('over has ended');
});

test('as many as like may wait for the end, without a warning of a leak', async () => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error): number => warnings.push(warning);
  process.on('warning', onWarning);
  await using lifetime = new Lifetime('crowded');
  for (let count = 0; count < 20; count += 1) lifetime.signal.addEventListener('abort', () => {});
  await turn();
  process.off('warning', onWarning);
  expect(warnings).toEqual([]);
});
