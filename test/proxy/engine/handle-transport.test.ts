import { expect, test } from 'vitest';
import { HandleTransport } from '../../../src/proxy/engine/handle-transport.ts';
import { StreamEngine } from '../../../src/proxy/engine/stream-engine.ts';
import { loadTcpBinding } from '../../../src/proxy/engine/tcp-binding.ts';
import { engineConformance } from '../../conformance/engine.ts';

const binding = loadTcpBinding();

test('this Node lets us have its TCP handles', () => {
  expect(binding).toBeDefined();
});

if (binding !== undefined)
  engineConformance(
    'handle',
    (options) => new StreamEngine({ transport: new HandleTransport(binding), ...options }),
  );
