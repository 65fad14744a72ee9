// The DNS of a running cluster, as its pods meet it: their resolv.conf, what resolvers make of it, and the commands
// that explain, trace and disturb it.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { callApi } from './support/api.ts';
import { digAt, mayBindDnsPort } from './support/dns.ts';
import { has, MAIN, RunningUp, runPodwire } from './support/podwire.ts';

const DNS_ADDRESS = '127.96.0.10';

/** A program of a pod that sees the pod's own resolv.conf, as in a container. */
const IN_POD = process.getuid?.() === 0 ? 'unshare --mount' : 'unshare --map-root-user --mount';
const mayUnshare = spawnSync('sh', ['-c', `${IN_POD} true`]).status === 0;

const RESOLVE = `
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
int main(int argc, char **argv) {
  struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list;
  char text[64] = "none";
  if (!getaddrinfo(argv[1], 0, &hints, &list))
    inet_ntop(AF_INET, &((struct sockaddr_in *)list->ai_addr)->sin_addr, text, sizeof text);
  printf("musl %s %s\\n", argv[1], text);
}
`;

const NAMES = [
  'web',
  'web.default',
  'web.default.svc',
  'web.default.svc.cluster.local',
  'web.default.svc.cluster.local.',
  'db-0.db',
  'kube-dns.kube-system',
  'nobody',
];

/** Prints the file, then what glibc and the musl program make of each name. */
function podCommand(folder: string): string {
  const resolveAll = NAMES.map(
    (name) =>
      `echo glibc ${name} $(getent ahostsv4 ${name} | head -n 1 | cut -d" " -f1)${has('musl-gcc') ? `; ${folder}/resolve ${name}` : ''}`,
  ).join('; ');
  const untilServed = 'until getent hosts kubernetes.default; do sleep 0.1; done';
  const mounts = `mount --bind $PODWIRE_ROOT/etc/resolv.conf /etc/resolv.conf && mount --bind ${folder}/nsswitch.conf /etc/nsswitch.conf`;
  return `cat $PODWIRE_ROOT/etc/resolv.conf; ${IN_POD} sh -c '${mounts} && ${untilServed} && { ${resolveAll}; }'; echo finished; sleep 1000`;
}

const POD_SPECS: Readonly<Record<string, string>> = {
  'cluster-first': '',
  'host-network': 'hostNetwork: true',
  'cluster-first-with-host-net': 'hostNetwork: true, dnsPolicy: ClusterFirstWithHostNet',
  default: 'dnsPolicy: Default',
  none: 'dnsPolicy: None, dnsConfig: { nameservers: [192.0.2.53], searches: [a.example.org], options: [{ name: ndots, value: "2" }, { name: edns0 }] }',
  more: `dnsConfig: { nameservers: [192.0.2.53], searches: [a.example.org], options: [{ name: ndots, value: "2" }] }`,
};

function manifest(folder: string): string {
  const command = JSON.stringify(['sh', '-c', podCommand(folder)]);
  const plain = JSON.stringify([
    'sh',
    '-c',
    'cat $PODWIRE_ROOT/etc/resolv.conf; echo finished; sleep 1000',
  ]);
  const pods = Object.entries(POD_SPECS).map(
    ([name, spec]) => `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, annotations: { podwire.io/runtime: process } }
spec: { containers: [{ name: main, image: debian, command: ${name === 'cluster-first' ? command : plain} }]${spec === '' ? '' : `, ${spec}`} }
`,
  );
  return `apiVersion: v1
kind: Service
metadata: { name: web }
spec: { clusterIP: 127.96.7.7, ports: [{ name: http, port: 80 }], selector: { app: web } }
---
apiVersion: v1
kind: Service
metadata: { name: db }
spec: { clusterIP: None, ports: [{ name: http, port: 80 }], selector: { app: db } }
---
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: db }
spec:
  serviceName: db
  replicas: 1
  selector: { matchLabels: { app: db } }
  template:
    metadata: { labels: { app: db } }
    spec: { containers: [{ name: main, image: nginx, ports: [{ containerPort: 80 }] }] }
---${pods.join('---')}`;
}

describe.skipIf(!mayBindDnsPort || !has('dig'))(
  'a cluster (skipped without dig or port 53)',
  () => {
    let folder = '';
    let up: RunningUp;

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'podwire-dns-'));
      writeFileSync(join(folder, 'nsswitch.conf'), 'hosts: dns\n');
      writeFileSync(join(folder, 'resolve.c'), RESOLVE);
      if (has('musl-gcc'))
        execFileSync('musl-gcc', [
          '-static',
          '-o',
          join(folder, 'resolve'),
          join(folder, 'resolve.c'),
        ]);
      writeFileSync(join(folder, 'pods.yaml'), manifest(folder));
      up = await RunningUp.start(['--nodes', '1', '-f', join(folder, 'pods.yaml')]);
    });
    afterAll(async () => {
      await up.stop('SIGKILL');
      rmSync(folder, { recursive: true });
    });

    /** What a pod printed, once it has printed it all. */
    async function printed(pod: string): Promise<string> {
      for (;;) {
        const log = await callApi(
          up.kubeconfig,
          'GET',
          `/api/v1/namespaces/default/pods/${pod}/log`,
        );
        if (log.includes('finished')) return log;
        await new Promise((settle) => setTimeout(settle, 200));
      }
    }

    const podwire = (...words: string[]): ReturnType<typeof runPodwire> =>
      runPodwire(['dns', ...words, '--kubeconfig', up.kubeconfig]);

    describe("pods' resolv.conf", () => {
      const host = readFileSync('/etc/resolv.conf', 'utf8');
      const searches =
        [...host.matchAll(/^search\s+(.*)$/gm)].at(-1)?.[1]?.trim().split(/\s+/) ?? [];
      const cluster = [
        'default.svc.cluster.local',
        'svc.cluster.local',
        'cluster.local',
        ...searches,
      ];

      test.each([
        ['cluster-first', [DNS_ADDRESS], cluster, 'ndots:5'],
        ['cluster-first-with-host-net', [DNS_ADDRESS], cluster, 'ndots:5'],
        ['none', ['192.0.2.53'], ['a.example.org'], 'ndots:2 edns0'],
        ['more', [DNS_ADDRESS, '192.0.2.53'], [...cluster, 'a.example.org'], 'ndots:2'],
      ])('of %s', async (pod, servers, search, options) => {
        const lines = [
          `search ${search.join(' ')}`,
          ...servers.map((server) => `nameserver ${server}`),
          `options ${options}`,
        ];
        expect((await printed(pod)).split('\n').slice(0, lines.length)).toEqual(lines);
      });

      test.each(['default', 'host-network'])('of %s is the machine’s', async (pod) => {
        const own = [...host.matchAll(/^nameserver\s+(\S+)/gm)].slice(0, 3).map(([, ip]) => ip);
        const log = await printed(pod);
        expect([...log.matchAll(/^nameserver (\S+)/gm)].map(([, ip]) => ip)).toEqual(own);
        expect(log).not.toContain('svc.cluster.local');
      });
    });

    test.skipIf(!mayUnshare)(
      'glibc and musl find names as pods write them (skipped without mount namespaces)',
      async () => {
        const log = await printed('cluster-first');
        const podIP = (name: string): string =>
          up.summary().pods.find((pod) => pod.name === name)?.podIP ?? '';
        const addresses = [
          ...Array.from({ length: 5 }, () => '127.96.7.7'),
          podIP('db-0'),
          DNS_ADDRESS,
        ];
        const resolvers = has('musl-gcc') ? ['glibc', 'musl'] : ['glibc'];
        for (const [index, address] of addresses.entries())
          for (const resolver of resolvers)
            expect(log).toContain(`${resolver} ${NAMES[index]} ${address}\n`);
        expect(log).toContain('glibc nobody\n');
      },
    );

    test('explain walks the search path of a pod, and says what is wrong', async () => {
      const found = await podwire('explain', 'web', 'A', '--from', 'default/cluster-first');
      expect(found.stdout).toMatch(
        /^Asked coredns-\S+ at 127\.244\.0\.\d+:53\nPod default\/cluster-first /,
      );
      expect(found.stdout).toContain('kubernetes: cluster IP 127.96.7.7 [Service default/web]');
      expect(found.stdout).toContain('web: found as web.default.svc.cluster.local. with 1 query.');
      const outside = await podwire(
        'explain',
        'www.example.com',
        '--from',
        'default/cluster-first',
      );
      expect(outside.stdout).toMatch(/www\.example\.com: not found after (8|10) queries\./);
      const typo = await podwire('explain', 'wbe', '--from', 'default/cluster-first');
      expect(typo.stdout).toContain('namespace default has no Service wbe; did you mean web?');
      const nobody = await podwire('explain', 'web', '--from', 'default/nobody');
      expect(nobody.code).toBe(2);
      expect(nobody.stderr).toContain('no pod default/nobody; there is');
      const other = await podwire('explain', 'web', '--server', 'other');
      expect(other.stderr).toMatch(
        /no DNS server other runs in the cluster; there is host, coredns-/,
      );
    });

    test('faults befall the DNS pods and the host’s DNS until they are cleared', async () => {
      const name = 'web.default.svc.cluster.local.';
      // Long where an answer is waited for, short where there is none.
      const both = async (type: string, seconds = 30): Promise<(string | undefined)[]> => [
        (await digAt(DNS_ADDRESS, 53, `${name} ${type} +tries=1 +time=${seconds}`))[0],
        (await digAt('127.0.0.1', 1053, `${name} ${type} +tries=1 +time=${seconds}`))[0],
      ];
      const { stdout } = await podwire('faults', 'set', 'drop', 'type=AAAA');
      expect(stdout).toMatch(
        /^host fault \d+: drop type=AAAA\ncoredns-\S+ fault \d+: drop type=AAAA\n/,
      );
      expect(await both('A')).toEqual(['NOERROR qr aa rd', 'NOERROR qr aa rd']);
      expect(await both('AAAA', 1)).toEqual([undefined, undefined]);
      await podwire('faults', 'set', 'rcode=REFUSED', `name=${name}`, 'client=127.0.0.0/8');
      expect(await both('A')).toEqual(['REFUSED qr rd', 'REFUSED qr rd']);
      const explained = await podwire('explain', name, 'A');
      expect(explained.stdout).toContain(`fault: rcode=REFUSED name=${name} client=127.0.0.0/8`);
      expect((await podwire('faults', 'list')).stdout).toMatch(
        /coredns-\S+ fault \d+: rcode=REFUSED/,
      );
      expect((await podwire('faults', 'clear')).stdout).toMatch(
        /^host: 2 fault\(s\) cleared\ncoredns-/,
      );
      expect(await both('AAAA')).toEqual(['NOERROR qr aa rd', 'NOERROR qr aa rd']);
      const wrong = await podwire('faults', 'set', 'explode');
      expect([wrong.code, wrong.stderr]).toEqual([
        2,
        expect.stringContaining("'explode' is no fault"),
      ]);
    });

    test('trace tells each query, who asked, and why that answer', async () => {
      const child = spawn(process.execPath, [MAIN, 'dns', 'trace', '--kubeconfig', up.kubeconfig]);
      let output = '';
      for (const stream of [child.stdout, child.stderr])
        stream.setEncoding('utf8').on('data', (text: string) => (output += text));
      const podIP = up.summary().pods.find(({ name }) => name === 'db-0')?.podIP ?? '';
      while (!output.includes('(Pod default/db-0)')) {
        await digAt(DNS_ADDRESS, 53, `web.default.svc.cluster.local. A -b ${podIP}`);
      }
      expect(output).toMatch(
        /coredns-\S+: A web\.default\.svc\.cluster\.local\. from \S+ \(Pod default\/db-0\) over udp: NOERROR by kubernetes in [\d.]+ ms; .*kubernetes: cluster IP 127\.96\.7\.7 \[Service default\/web\]/,
      );
      child.kill('SIGINT');
      const [code] = (await once(child, 'exit')) as [number | null];
      expect(code).toBe(0);
    });
  },
);
