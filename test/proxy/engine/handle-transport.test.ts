import { describe, expect, test } from 'vitest';
import { HandleTransport } from '../../../src/proxy/engine/handle-transport.ts';
import { StreamEngine } from '../../../src/proxy/engine/stream-engine.ts';
import { loadTcpBinding } from '../../../src/proxy/engine/tcp-binding.ts';
import { engineConformance } from '../../conformance/engine.ts';
import { connectPair, type CreateEngine } from '../../conformance/engine/harness.ts';
import { readAll, startServer } from '../../support/tcp.ts';

const create: CreateEngine = (options) => {
  const binding = loadTcpBinding();
  if (binding === undefined) throw new Error('this Node does not let us have its TCP handles');
  return new StreamEngine({ transport: new HandleTransport(binding), ...options });
};

engineConformance('handle', create);

// Of these node:net's public API cannot tell a reset from a FIN.
describe('engine handle, resets right behind data', () => {
  test('from the client', async () => {
    await using server = await startServer();
    await using pair = await connectPair(create, server);
    const { client, backend, recorder } = pair;
    backend.resume();
    client.write('half of what I wanted to');
    client.resetAndDestroy();
    await recorder.ended();
    expect(recorder.events).toEqual(['established', 'client-reset', 'closed']);
  });

  test('from the server to a client that has finished', async () => {
    await using server = await startServer();
    await using pair = await connectPair(create, server);
    const { client, backend, recorder } = pair;
    client.end('question');
    await readAll(backend);
    client.resume();
    backend.write('half an ans');
    backend.resetAndDestroy();
    await recorder.ended();
    expect(recorder.events).toEqual(['established', 'client-fin', 'server-reset', 'closed']);
  });

  test('while a whole answer to a client that has finished stays one', async () => {
    await using server = await startServer();
    await using pair = await connectPair(create, server);
    const { client, backend, recorder } = pair;
    client.end('question');
    await readAll(backend);
    backend.end('answer');
    expect((await readAll(client)).toString()).toBe('answer');
    await recorder.ended();
    expect(recorder.events).toEqual(['established', 'client-fin', 'server-fin', 'closed']);
  });
});
