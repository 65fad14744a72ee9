import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { ContainerPort, Pod } from '../../src/api/types/core.ts';
import { systemClock } from '../../src/base/clock.ts';
import { HostPorts, hostPortsOf } from '../../src/node/host-ports.ts';
import { PodPorts } from '../../src/node/pod-ports.ts';

function pod(ports: ContainerPort[], hostNetwork = false): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p' },
    spec: { hostNetwork, containers: [{ name: 'c', image: 'nginx', ports }] },
  };
}

describe('which ports of a pod are the node’s', () => {
  test.each<[string, Pod, ReturnType<typeof hostPortsOf>]>([
    ['none', pod([{ containerPort: 80 }]), { tcp: [], other: [] }],
    [
      'on the node’s address',
      pod([{ containerPort: 80, hostPort: 8080 }]),
      { tcp: [{ at: { address: '192.0.2.1', port: 8080 }, containerPort: 80 }], other: [] },
    ],
    [
      'on one address',
      pod([{ containerPort: 80, hostPort: 8080, hostIP: '127.0.0.1', protocol: 'TCP' }]),
      { tcp: [{ at: { address: '127.0.0.1', port: 8080 }, containerPort: 80 }], other: [] },
    ],
    [
      'of another protocol',
      pod([{ containerPort: 53, hostPort: 53, protocol: 'UDP' }]),
      { tcp: [], other: ['53/UDP'] },
    ],
    [
      'in the host’s network',
      pod([{ containerPort: 80, hostPort: 80 }], true),
      { tcp: [], other: [] },
    ],
  ])('%s', (_, object, expected) => {
    expect(hostPortsOf(object, '192.0.2.1')).toEqual(expected);
  });
});

/** What a server says to a client at `from` before it hangs up. */
async function listenTo(host: string, port: number, from = '127.0.0.1'): Promise<string> {
  const socket = connect({ host, port, localAddress: from });
  let text = '';
  for await (const chunk of socket.setEncoding('utf8')) text += String(chunk);
  return text;
}

test('a client reaches the pod through the node, under its own address', async () => {
  const server = createServer((socket) => socket.end(`hello ${socket.remoteAddress}`));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await using hostPorts = new HostPorts(systemClock, new PodPorts(0));
  const refused: string[] = [];
  const spare = createServer().listen(0, '127.77.0.1');
  await once(spare, 'listening');
  const taken = (spare.address() as AddressInfo).port;
  spare.close();
  const at = { address: '127.77.0.1', port: taken };
  const ports = [
    { at, containerPort: port },
    { at, containerPort: port },
  ];
  const open = await hostPorts.open(ports, '127.0.0.1', (message) => refused.push(message));
  expect(await listenTo('127.77.0.1', taken, '127.77.0.9')).toBe('hello 127.77.0.9');
  expect(refused).toEqual([`cannot listen on 127.77.0.1 port ${taken}: EADDRINUSE`]);
  await open.close();
  await expect(listenTo('127.77.0.1', taken)).rejects.toThrow('ECONNREFUSED');
  server.close();
});
