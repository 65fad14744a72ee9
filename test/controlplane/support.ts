import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ManualClock } from '../../src/base/clock.ts';
import { parseCidr } from '../../src/base/ip.ts';
import { silentLogger } from '../../src/base/log.ts';
import { createMetrics } from '../../src/base/metrics.ts';
import { seededRandom } from '../../src/base/random.ts';
import { parseManifest } from '../../src/api/manifest.ts';
import type { Node, Pod } from '../../src/api/types/core.ts';
import { ControlPlane, type ControlPlaneOptions } from '../../src/controlplane/control-plane.ts';

const EXAMPLES = join(import.meta.dirname, '../../examples');

export async function startTestPlane(
  overrides: Partial<ControlPlaneOptions> = {},
): Promise<{ plane: ControlPlane; clock: ManualClock }> {
  const clock = new ManualClock();
  const serviceCidr = parseCidr('127.96.0.0/16');
  if (serviceCidr === undefined) throw new Error('bad CIDR');
  const plane = await ControlPlane.start({
    clock,
    random: seededRandom('control-plane'),
    logger: silentLogger,
    metrics: createMetrics(),
    config: { serviceCidr },
    ...overrides,
  });
  return { plane, clock };
}

/** Lets everything that needs no time come to rest: promise chains and deferred callbacks. */
export async function settle(clock: ManualClock, turns = 200): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    if (clock.nextDueAt !== undefined && clock.nextDueAt <= clock.now()) clock.advance(0);
  }
}

export function example(name: string): ReturnType<typeof parseManifest> {
  return parseManifest(readFileSync(join(EXAMPLES, name), 'utf8'), name);
}

export function fixture(name: string): ReturnType<typeof parseManifest> {
  return parseManifest(readFileSync(join(import.meta.dirname, '../fixtures', name), 'utf8'), name);
}

export function testNode(name: string, changes: Partial<Node['spec']> = {}): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name } },
    spec: { ...changes },
    status: {
      allocatable: { cpu: '4', memory: '8Gi', pods: '110' },
      conditions: [{ type: 'Ready', status: 'True' }],
    },
  };
}

/** What a kubelet would report of a pod that came up. */
export async function runPod(plane: ControlPlane, pod: Pod, ip: string, at: string): Promise<void> {
  await plane.client.resource('pods').updateStatus({
    ...pod,
    status: {
      ...pod.status,
      phase: 'Running',
      podIP: ip,
      podIPs: [{ ip }],
      conditions: [
        ...(pod.status?.conditions ?? []).filter(({ type }) => type !== 'Ready'),
        { type: 'Ready', status: 'True', lastTransitionTime: at },
      ],
    },
  });
}
