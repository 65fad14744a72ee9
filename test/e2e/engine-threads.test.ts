// Round robin over several forwarding threads, each of which accepts from a socket of its own.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { probeLinux } from '../../src/base/linux/probe.ts';
import { greet, startCluster, VIP, visit, web, webSlice } from '../conformance/proxy/harness.ts';
import { endpoint } from '../services/objects.ts';

const PODS = ['127.244.200.10', '127.244.200.11', '127.244.201.10'];
const ROUNDS = 20;
/** TCP_LISTEN, in include/net/tcp_states.h. */
const LISTEN = '0A';

/** How many sockets listen on an address: /proc/net/tcp has it in hexadecimal, bytes of the address reversed. */
function listeningSockets({ address, port }: { address: string; port: number }): number {
  const bytes = [...address.split('.').toReversed(), port].map((part, index) =>
    Number(part)
      .toString(16)
      .padStart(index < 4 ? 2 : 4, '0'),
  );
  const local = `${bytes.slice(0, 4).join('')}:${bytes[4]}`.toUpperCase();
  const rows = readFileSync('/proc/net/tcp', 'utf8').trim().split('\n').slice(1);
  return rows.filter((row) => {
    const [, at, , state] = row.trim().split(/\s+/);
    return at === local && state === LISTEN;
  }).length;
}

const settings = (['epoll', 'uring'] as const).flatMap((engine) =>
  (['ipvs', 'userspace'] as const).map((mode) => ({ engine, mode, threads: 2 })),
);

describe.skipIf(probeLinux().kind === 'refused').each(settings)(
  'two threads of $engine in mode $mode',
  (setting) => {
    test('clients one by one meet the endpoints in turn', async () => {
      await using cluster = await startCluster(setting, { pods: PODS });
      await cluster.apply(web(), webSlice(PODS.map((pod) => endpoint(pod, 'a'))));
      expect(listeningSockets(VIP)).toBe(2);
      const met: string[] = [];
      while (met.length < PODS.length * ROUNDS) met.push((await visit(VIP)).backend);
      const turn = met.slice(0, PODS.length);
      expect(turn.toSorted()).toEqual(PODS);
      expect(met).toEqual(Array.from({ length: ROUNDS }, () => turn).flat());
    });

    test('of clients at once every endpoint gets as many as the others', async () => {
      await using cluster = await startCluster(setting, { pods: PODS });
      await cluster.apply(web(), webSlice(PODS.map((pod) => endpoint(pod, 'a'))));
      const clients = await Promise.all(
        Array.from({ length: PODS.length * ROUNDS }, () => greet(VIP)),
      );
      const shares = PODS.map((pod) => clients.filter(({ backend }) => backend === pod).length);
      expect(shares).toEqual(PODS.map(() => ROUNDS));
      for (const { socket } of clients) socket.destroy();
    });
  },
);
