// A rolling update while clients ask all the time: with maxUnavailable 0 and a readiness probe nobody notices.
import { describe, expect, test } from 'vitest';
import type { ReplicaSet } from '../../src/api/types/apps.ts';
import { ApiCluster, webManifest } from './support/api-cluster.ts';
import { SteadyLoad } from './support/steady-load.ts';

const MODES = ['ipvs', 'iptables', 'nftables', 'userspace'] as const;

const STRATEGY =
  '  strategy: { type: RollingUpdate, rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } }\n';
const MANIFEST = webManifest(4, 'NodePort', STRATEGY);
const DEPLOYMENT = '/apis/apps/v1/namespaces/default/deployments/web';

async function images(cluster: ApiCluster): Promise<(string | undefined)[]> {
  return (await cluster.pods('app=web')).map(({ spec }) => spec.containers[0]?.image);
}

/** What `kubectl set image` sends. */
async function setImage(cluster: ApiCluster, image: string): Promise<void> {
  const body = { spec: { template: { spec: { containers: [{ name: 'c', image }] } } } };
  const type = 'application/strategic-merge-patch+json';
  expect((await cluster.api.ask('PATCH', DEPLOYMENT, body, type)).code).toBe(200);
}

/** What `kubectl rollout undo` sends: the template of the revision before in place of the present one. */
async function undo(cluster: ApiCluster): Promise<void> {
  const sets = await cluster.api.list<ReplicaSet>('/apis/apps/v1/namespaces/default/replicasets');
  const revision = ({ metadata }: ReplicaSet) =>
    Number(metadata.annotations?.['deployment.kubernetes.io/revision']);
  const before = sets.toSorted((a, b) => revision(b) - revision(a))[1]?.spec.template;
  const labels = { ...before?.metadata?.labels };
  delete labels['pod-template-hash'];
  const value = { ...before, metadata: { ...before?.metadata, labels } };
  const body = [{ op: 'replace', path: '/spec/template', value }];
  const type = 'application/json-patch+json';
  expect((await cluster.api.ask('PATCH', DEPLOYMENT, body, type)).code).toBe(200);
}

/** The new template is everywhere, and the last pod of the old one is gone. */
async function untilAllRun(cluster: ApiCluster, image: string): Promise<void> {
  await cluster.untilRolledOut('web');
  await cluster.until(async () => (await images(cluster)).length === 4);
  expect(await images(cluster)).toEqual([image, image, image, image]);
}

describe.each(MODES)('%s', (mode) => {
  test('a rolling update and its undo lose no request', { timeout: 300_000 }, async () => {
    await using cluster = await ApiCluster.start(MANIFEST, '--nodes', '3', '--proxy-mode', mode);
    const { spec } = await cluster.service('web');
    const urls = [`http://${spec.clusterIP}/`, `http://127.0.0.1:${spec.ports?.[0]?.nodePort}/`];
    await using load = new SteadyLoad(urls, { clients: 16 });
    const carryOn = (goal = load.requests + 300) => cluster.until(async () => load.requests > goal);
    await carryOn();
    await setImage(cluster, 'tomcat:2');
    await untilAllRun(cluster, 'tomcat:2');
    await carryOn();
    await undo(cluster);
    await untilAllRun(cluster, 'tomcat:1');
    await carryOn();
    const { failures, lastAnswerMs } = await load.stop();
    expect(failures).toEqual([]);
    // It went through every pod: four of each template in turn.
    expect(lastAnswerMs.size).toBe(12);
  });
});
