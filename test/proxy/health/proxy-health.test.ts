import { describe, expect, test } from 'vitest';
import { ManualClock } from '../../../src/base/clock.ts';
import {
  healthzAnswer,
  livezAnswer,
  nodePortAnswer,
} from '../../../src/proxy/health/health-answers.ts';
import { ProxyHealth } from '../../../src/proxy/health/proxy-health.ts';

const SYNC_PERIOD_MS = 30_000;

function setUp() {
  const clock = new ManualClock();
  return { clock, health: new ProxyHealth(clock, SYNC_PERIOD_MS) };
}

describe('proxy health', () => {
  test('is good before the first sync, whatever waits', () => {
    const { clock, health } = setUp();
    health.queued();
    clock.advance(10 * SYNC_PERIOD_MS);
    expect(health.status()).toMatchObject({ healthy: true, lastUpdatedMs: undefined });
  });

  test('is bad when the oldest change has waited for two sync periods', () => {
    const { clock, health } = setUp();
    health.updated();
    health.queued();
    clock.advance(SYNC_PERIOD_MS);
    health.queued();
    clock.advance(SYNC_PERIOD_MS - 1);
    expect(health.status().healthy).toBe(true);
    clock.advance(1);
    expect(health.status().healthy).toBe(false);
    health.updated();
    expect(health.status().healthy).toBe(true);
  });

  test.each([
    ['keeping up', true, false, 200, 200],
    ['keeping up on a node that leaves', false, false, 503, 200],
    ['late', true, true, 503, 503],
  ])('answers for a proxy %s', (_name, eligible, late, healthz, livez) => {
    const { clock, health } = setUp();
    health.setNodeEligible(eligible);
    health.updated();
    if (late) health.queued();
    clock.advance(2 * SYNC_PERIOD_MS);
    expect(healthzAnswer(health.status()).status).toBe(healthz);
    expect(livezAnswer(health.status()).status).toBe(livez);
  });

  test('says when, and about the node only on /healthz', () => {
    const { health } = setUp();
    const never = JSON.parse(healthzAnswer(health.status()).body) as Record<string, unknown>;
    expect(never).toEqual({
      lastUpdated: '0001-01-01 00:00:00 +0000 UTC',
      currentTime: '2026-01-01 00:00:00.000 +0000 UTC',
      nodeEligible: true,
      healthy: true,
    });
    expect(JSON.parse(livezAnswer(health.status()).body)).not.toHaveProperty('nodeEligible');
  });

  test.each([
    [2, true, 200],
    [0, true, 503],
    [2, false, 503],
  ])('a check port with %i local endpoints, proxy healthy %s: %i', (local, healthy, status) => {
    const check = { namespace: 'default', name: 'web', port: 30_000, localEndpoints: local };
    const answer = nodePortAnswer(check, healthy);
    expect(answer.status).toBe(status);
    expect(answer.headers).toEqual({ 'X-Load-Balancing-Endpoint-Weight': String(local) });
    expect(JSON.parse(answer.body)).toEqual({
      service: { namespace: 'default', name: 'web' },
      localEndpoints: local,
      serviceProxyHealthy: healthy,
    });
  });
});
