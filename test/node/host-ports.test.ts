import { createSocket, type Socket } from 'node:dgram';
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
    ['none', pod([{ containerPort: 80 }]), { served: [], unserved: [] }],
    [
      'on the node’s address',
      pod([{ containerPort: 80, hostPort: 8080 }]),
      {
        served: [{ protocol: 'TCP', at: { address: '192.0.2.1', port: 8080 }, containerPort: 80 }],
        unserved: [],
      },
    ],
    [
      'on one address',
      pod([{ containerPort: 80, hostPort: 8080, hostIP: '127.0.0.1', protocol: 'TCP' }]),
      {
        served: [{ protocol: 'TCP', at: { address: '127.0.0.1', port: 8080 }, containerPort: 80 }],
        unserved: [],
      },
    ],
    [
      'of UDP, and none of SCTP',
      pod([
        { containerPort: 53, hostPort: 5353, protocol: 'UDP' },
        { containerPort: 9, hostPort: 9, protocol: 'SCTP' },
      ]),
      {
        served: [{ protocol: 'UDP', at: { address: '192.0.2.1', port: 5353 }, containerPort: 53 }],
        unserved: ['9/SCTP'],
      },
    ],
    [
      'in the host’s network',
      pod([{ containerPort: 80, hostPort: 80 }], true),
      { served: [], unserved: [] },
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
    { protocol: 'TCP', at, containerPort: port },
    { protocol: 'TCP', at, containerPort: port },
  ] as const;
  const open = await hostPorts.open(ports, '127.0.0.1', (message) => refused.push(message));
  expect(await listenTo('127.77.0.1', taken, '127.77.0.9')).toBe('hello 127.77.0.9');
  expect(refused).toEqual([`cannot listen on 127.77.0.1 port ${taken}: EADDRINUSE`]);
  await open.close();
  await expect(listenTo('127.77.0.1', taken)).rejects.toThrow('ECONNREFUSED');
  server.close();
});

/** A UDP socket at an address, on a port of the system's choice unless one is said. */
async function datagrams(address: string, port = 0): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.bind(port, address);
  await once(socket, 'listening');
  return socket;
}

test('so do its datagrams, and the answers find back', async () => {
  const server = await datagrams('127.0.0.1');
  server.on('message', (message, from) =>
    server.send(`${message.toString()} from ${from.address}`, from.port, from.address),
  );
  const spare = await datagrams('127.77.0.1');
  const at = { address: '127.77.0.1', port: spare.address().port };
  spare.close();
  await using hostPorts = new HostPorts(systemClock, new PodPorts(0));
  const refused: string[] = [];
  const port = { protocol: 'UDP', at, containerPort: server.address().port } as const;
  const open = await hostPorts.open([port, port], '127.0.0.1', (message) => refused.push(message));
  expect(refused).toEqual([`cannot listen on 127.77.0.1 port ${at.port}: EADDRINUSE`]);
  const client = await datagrams('127.77.0.9');
  for (const word of ['one', 'two']) {
    client.send(word, at.port, at.address);
    const [answer] = (await once(client, 'message')) as [Buffer];
    expect(answer.toString()).toBe(`${word} from 127.77.0.9`);
  }
  await open.close();
  // The port is free again.
  const again = await datagrams(at.address, at.port);
  for (const socket of [again, client, server]) socket.close();
});
