// The forwarding thread of a running cluster dies: the nodes' Events say so, and their Services go on.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import type { Event } from '../../src/api/types/core.ts';
import { probeLinux } from '../../src/base/linux/probe.ts';
import { ApiCluster } from './support/api-cluster.ts';
import { curl } from './support/podwire.ts';

const BREAKER = pathToFileURL(join(import.meta.dirname, 'processes/break-forwarder-on-signal.ts'));
const MANIFEST = `
apiVersion: v1
kind: Pod
metadata: { name: web, labels: { app: web } }
spec: { containers: [{ name: c, image: tomcat, ports: [{ containerPort: 8080 }] }] }
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ port: 80, targetPort: 8080 }] }
`;

/** A cluster on the engine `epoll` whose thread dies at SIGUSR2. */
async function startBreakable(): Promise<ApiCluster> {
  process.env['NODE_OPTIONS'] = `--import tsx --import ${BREAKER.href}`;
  try {
    return await ApiCluster.start(MANIFEST, '--nodes', '2', '--engine', 'epoll');
  } finally {
    delete process.env['NODE_OPTIONS'];
  }
}

test.skipIf(probeLinux().kind === 'refused')(
  'a dead forwarding thread is an Event of every node, and Services are served without it',
  async () => {
    await using cluster = await startBreakable();
    const { spec } = await cluster.service('web');
    const url = `http://${spec.clusterIP}/`;
    const answers = async (): Promise<boolean> => (await curl('--fail', url)).includes('web');
    await cluster.until(answers);

    cluster.signal('SIGUSR2');
    const replaced = async (): Promise<readonly Event[]> => {
      const events = await cluster.api.list<Event>('/api/v1/events');
      return events.filter(({ reason }) => reason === 'ForwardingEngineReplaced');
    };
    // A client wakes the thread, which dies of it.
    await cluster.until(async () => {
      await answers();
      return (await replaced()).length === 2;
    });
    for (const { type, message, involvedObject } of await replaced()) {
      expect(type).toBe('Warning');
      expect(message).toContain('a forwarding thread has died');
      expect(involvedObject.kind).toBe('Node');
    }
    await cluster.until(answers);
  },
);
