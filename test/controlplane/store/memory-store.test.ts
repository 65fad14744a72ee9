import { expect, test } from 'vitest';
import { MemoryStore } from '../../../src/controlplane/store/memory-store.ts';
import { configMap, storeConformance } from './store-conformance.ts';

storeConformance('the memory store', async () => {
  const store = new MemoryStore();
  return { store, close: () => store.close() };
});

test('the history is bounded: a watch from before it is refused with where it begins', async () => {
  const store = new MemoryStore({ historyEvents: 10 });
  for (let index = 0; index < 100; index += 1)
    await store.commit({
      key: { resource: 'configmaps', name: `default/n${index}` },
      expected: 0,
      object: configMap(`n${index}`),
    });
  const outcome = store.watch('configmaps', 1, () => {});
  expect(outcome.kind).toBe('expired');
  const oldest = outcome.kind === 'expired' ? outcome.oldest : 0;
  expect(oldest).toBeGreaterThanOrEqual(80);
  let seen = 0;
  store.watch('configmaps', oldest, () => {
    seen += 1;
  });
  expect(seen).toBe(100 - oldest);
});
