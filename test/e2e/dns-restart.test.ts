// The cluster's own DNS through its ClusterIP, under dnsperf: pods are replaced and the Corefile changes, and nobody
// waits for an answer that never comes.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { callApi } from './support/api.ts';
import { digAt, mayBindDnsPort } from './support/dns.ts';
import { finished, has, RunningUp } from './support/podwire.ts';

/**
 * A client that stands still for a second loses a TCP connection of a pod that ends, and dnsperf does not ask again. That
 * the server itself may stand still is in test/dns/server/closing.test.ts.
 */
const STALLS = { retry: 3 };
const DNS_ADDRESS = '127.96.0.10';
const NAMES = [
  'kubernetes.default.svc.cluster.local A',
  'kube-dns.kube-system.svc.cluster.local AAAA',
  '_dns._udp.kube-dns.kube-system.svc.cluster.local SRV',
  'nobody.default.svc.cluster.local A',
];
const PODS = '/api/v1/namespaces/kube-system/pods';
const COREDNS = '/apis/apps/v1/namespaces/kube-system/deployments/coredns';
const CONFIG = '/api/v1/namespaces/kube-system/configmaps/coredns';

function corefile(ttl: number): string {
  return `.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       ttl ${ttl}
    }
    reload 2s 1s
    loadbalance
}
`;
}

interface PodItem {
  readonly metadata: { readonly name: string; readonly deletionTimestamp?: string };
  readonly status: { readonly conditions?: { readonly type: string; readonly status: string }[] };
}

describe.skipIf(!has('dnsperf') || !has('dig') || !mayBindDnsPort)(
  'cluster DNS under load (skipped without dnsperf, dig or port 53)',
  () => {
    let folder = '';
    let up: RunningUp | undefined;
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'podwire-dns-'));
      writeFileSync(join(folder, 'queries'), `${NAMES.join('\n')}\n`);
    });
    afterEach(async () => {
      await up?.stop('SIGKILL');
      up = undefined;
    });
    afterAll(() => rmSync(folder, { recursive: true }));

    const api = (...call: [Parameters<typeof callApi>[1], string, object?]): Promise<string> =>
      callApi(up?.kubeconfig ?? '', ...call);

    async function pods(): Promise<PodItem[]> {
      const list = await api('GET', `${PODS}?labelSelector=k8s-app%3Dkube-dns`);
      return (JSON.parse(list) as { items: PodItem[] }).items;
    }

    /** Loads the ClusterIP over UDP and TCP at once; resolves with what each lost. */
    async function load(seconds: number): Promise<string[]> {
      const runs = ['udp', 'tcp'].map((mode) =>
        finished(
          'dnsperf',
          `-s ${DNS_ADDRESS} -m ${mode} -d ${folder}/queries -l ${seconds} -c 8 -Q 500 -q 50 -t 60`.split(
            ' ',
          ),
        ),
      );
      return (await Promise.all(runs)).map(
        ({ stdout, stderr }) =>
          /Queries (?:completed|lost):.*\n.*lost:.*/.exec(stdout)?.[0] ?? stderr,
      );
    }

    async function until(condition: () => Promise<boolean>): Promise<void> {
      while (!(await condition())) await new Promise((settle) => setTimeout(settle, 200));
    }

    const ttlOf = async (): Promise<number> => {
      const lines = await digAt(DNS_ADDRESS, 53, 'kubernetes.default.svc.cluster.local. A');
      return Number(lines[1]?.split(' ')[1]);
    };

    const nothingLost = expect.stringMatching(
      /completed:\s+\d{3,} \(100.00%\)\n\s*Queries lost:\s+0 /,
    );

    test.each(['ipvs', 'nftables'])(
      '%s: a rolling restart loses no query',
      STALLS,
      async (mode) => {
        up = await RunningUp.start(['--nodes', '2', '--proxy-mode', mode]);
        const before = (await pods()).map(({ metadata }) => metadata.name);
        expect(before).toHaveLength(2);
        const loaded = load(12);
        const restartedAt = { 'kubectl.kubernetes.io/restartedAt': new Date().toISOString() };
        await api('PATCH', COREDNS, {
          spec: { template: { metadata: { annotations: restartedAt } } },
        });
        expect(await loaded).toEqual([nothingLost, nothingLost]);
        // Pods whose TCP clients stayed on go once these are gone.
        await until(async () =>
          (await pods()).every(({ metadata }) => !before.includes(metadata.name)),
        );
        const ready = (await pods()).map(({ status }) =>
          status.conditions?.some(
            (condition) => condition.type === 'Ready' && condition.status === 'True',
          ),
        );
        expect(ready).toEqual([true, true]);
      },
    );

    test(
      'an edited Corefile is in force without a lost query; a bad one is refused and told',
      STALLS,
      async () => {
        up = await RunningUp.start(['--nodes', '2']);
        await api('PATCH', CONFIG, { data: { Corefile: corefile(7) } });
        // The Corefile of the beginning looks every 30 s; pods that start anew have the quick one.
        await api('DELETE', `${PODS}?labelSelector=k8s-app%3Dkube-dns&gracePeriodSeconds=0`);
        await until(async () => (await ttlOf()) === 7);
        const loaded = load(12);
        await api('PATCH', CONFIG, { data: { Corefile: corefile(9) } });
        const logs = async (): Promise<string[]> =>
          Promise.all(
            (await pods()).map(({ metadata }) => api('GET', `${PODS}/${metadata.name}/log`)),
          );
        const allSay = (text: string) => async (): Promise<boolean> =>
          (await logs()).every((log) => log.includes(text));
        await until(allSay('[INFO] plugin/reload: Reloading complete'));
        expect(await ttlOf()).toBe(9);
        await api('PATCH', CONFIG, {
          data: { Corefile: '.:53 {\n    kubernets cluster.local\n}\n' },
        });
        await until(allSay('[ERROR] plugin/reload: Corefile changed but reload failed'));
        expect(await ttlOf()).toBe(9);
        expect(await loaded).toEqual([nothingLost, nothingLost]);
        for (const log of await logs())
          expect(log).toContain("Corefile:2 - Error during parsing: Unknown directive 'kubernets'");
      },
    );
  },
);
