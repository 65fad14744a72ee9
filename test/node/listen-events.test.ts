import { describe, expect, test } from 'vitest';
import { silentLogger } from '../../src/base/log.ts';
import { listenEvents } from '../../src/node/listen-events.ts';
import { listenProblem, type ListenPurpose, type Spot } from '../../src/proxy/listen-problem.ts';
import { service } from '../services/objects.ts';

const SPOT: Spot = { protocol: 'TCP', address: '192.0.2.1', port: 8080 };
const WEB: ListenPurpose = { kind: 'traffic', service: 'default/web', text: 'default/web:http' };
const CHECK: ListenPurpose = {
  kind: 'health-check',
  service: 'default/web',
  text: 'the health check of default/web',
};

function setUp() {
  const recorded: string[][] = [];
  const told: string[] = [];
  const events = listenEvents({
    service: (name, namespace) => (name === 'web' ? service({ name, namespace }) : undefined),
    record: ({ kind, metadata }, type, reason, message) =>
      recorded.push([`${kind} ${metadata.namespace}/${metadata.name}`, type, reason, message]),
    onProblem: (message) => told.push(message),
    log: silentLogger,
  });
  return { events, recorded, told };
}

describe('a port that cannot be had', () => {
  test('is one warning on the Service, however many nodes want it, and good news later', () => {
    const { events, recorded, told } = setUp();
    events.problem(listenProblem(SPOT, [WEB, WEB], 'EADDRINUSE'));
    events.solved(SPOT, [WEB, WEB]);
    expect(recorded).toEqual([
      [
        'Service default/web',
        'Warning',
        'FailedToListen',
        expect.stringMatching(
          /^cannot listen on 192\.0\.2\.1:8080\/TCP for default\/web:http: EADDRINUSE: another process/,
        ) as string,
      ],
      [
        'Service default/web',
        'Normal',
        'Listening',
        'listening on 192.0.2.1:8080/TCP for default/web:http after all',
      ],
    ]);
    expect(told).toHaveLength(1);
  });

  test('is told in kube-proxy’s words when it is a check port', () => {
    const { events, recorded } = setUp();
    events.problem(listenProblem(SPOT, [CHECK], 'EADDRINUSE'));
    expect(recorded).toMatchObject([
      [
        'Service default/web',
        'Warning',
        'FailedToStartServiceHealthcheck',
        expect.stringMatching(
          /^node 192\.0\.2\.1 failed to start healthcheck "default\/web" on port 8080: /,
        ) as string,
      ],
    ]);
  });

  test('is no news of a Service that is gone', () => {
    const { events, recorded, told } = setUp();
    const gone: ListenPurpose = { kind: 'traffic', service: 'default/gone', text: 'default/gone' };
    events.problem(listenProblem(SPOT, [gone], 'EADDRINUSE'));
    events.solved(SPOT, []);
    expect(recorded).toEqual([]);
    expect(told).toHaveLength(1);
  });
});
