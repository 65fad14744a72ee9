// The resolvers of glibc and musl through a pod's resolv.conf, in a mount namespace of their own.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formatResolvConf, podResolvConf } from '../../src/dns/resolv-conf/resolv-conf.ts';
import { CLUSTER_MANIFEST } from '../dns/cluster-fixture.ts';
import { RunningDns } from './support/dns.ts';
import { has } from './support/podwire.ts';

const ADDRESS = '127.96.0.53';

const PROGRAM = `
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
int main(int argc, char **argv) {
  struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list;
  int error = getaddrinfo(argv[1], 0, &hints, &list);
  if (error) return printf("%s\\n", error == EAI_NONAME ? "no such name" : gai_strerror(error)), 0;
  char text[64];
  inet_ntop(AF_INET, &((struct sockaddr_in *)list->ai_addr)->sin_addr, text, sizeof text);
  puts(text);
}
`;

const mayUnshare = spawnSync('unshare', ['--mount', 'true']).status === 0;
const mayBind = process.getuid?.() === 0;

describe.skipIf(!mayUnshare || !mayBind)(
  'resolvers (skipped without mount namespaces or port 53)',
  () => {
    let folder = '';
    let dns: RunningDns;
    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'podwire-resolv-'));
      const { conf } = podResolvConf({
        pod: { namespace: 'testns', spec: {} },
        clusterDns: [ADDRESS],
        clusterDomain: 'cluster.local',
        host: { nameservers: [], searches: [], options: [] },
      });
      writeFileSync(join(folder, 'resolv.conf'), formatResolvConf(conf));
      writeFileSync(join(folder, 'nsswitch.conf'), 'hosts: dns\n');
      dns = await RunningDns.start(['-f', CLUSTER_MANIFEST], { address: ADDRESS, port: 53 });
    });
    afterAll(async () => {
      await dns[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true });
    });

    /** Runs a line of shell that sees the pod's files. */
    function inPod(command: string): string {
      const mounts = ['resolv.conf', 'nsswitch.conf'].map(
        (file) => `mount --bind ${folder}/${file} /etc/${file}`,
      );
      const line = [...mounts, command].join(' && ');
      return execFileSync('unshare', ['--mount', 'sh', '-c', line], { encoding: 'utf8' }).trim();
    }

    /** Name as a pod writes it, and its address. */
    const NAMES = [
      ['svc1', '10.0.0.1'],
      ['svc1.testns', '10.0.0.1'],
      ['svc1.testns.svc', '10.0.0.1'],
      ['svc1.testns.svc.cluster.local', '10.0.0.1'],
      ['svc1.testns.svc.cluster.local.', '10.0.0.1'],
      ['web-0.web', '10.1.0.10'],
      ['chain', '10.0.0.1'],
    ] as const;

    test.each(NAMES)('glibc finds %s', (name, address) => {
      expect(inPod(`getent ahostsv4 ${name} | head -n 1`).split(/\s+/)[0]).toBe(address);
    });

    test('glibc knows who has an address, and what does not exist', () => {
      expect(inPod('getent hosts 10.0.0.1')).toMatch(/svc1\.testns\.svc\.cluster\.local$/);
      expect(inPod('getent hosts nothing || echo none')).toBe('none');
    });

    describe.skipIf(!has('musl-gcc'))('musl (skipped without musl-tools)', () => {
      beforeAll(() => {
        writeFileSync(join(folder, 'resolve.c'), PROGRAM);
        execFileSync('musl-gcc', [
          '-static',
          '-o',
          join(folder, 'resolve'),
          join(folder, 'resolve.c'),
        ]);
      });

      test.each(NAMES)('finds %s', (name, address) => {
        expect(inPod(`${folder}/resolve ${name}`)).toBe(address);
      });

      test('gives up on what does not exist', () => {
        expect(inPod(`${folder}/resolve nothing.testns.svc.cluster.local`)).toBe('no such name');
      });
    });
  },
);
