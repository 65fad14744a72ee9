import type { HealthCheckNodePort } from '../../services/routing-table.ts';
import type { HttpAnswer } from './http-server.ts';
import type { HealthStatus } from './proxy-health.ts';

/** `/healthz`: 200 while the proxy keeps up and the node is to stay. */
export function healthzAnswer(status: HealthStatus): HttpAnswer {
  const { healthy, nodeEligible } = status;
  return json(healthy && nodeEligible, { ...common(status), nodeEligible, healthy });
}

/** `/livez`: the same without a look at the node. */
export function livezAnswer(status: HealthStatus): HttpAnswer {
  return json(status.healthy, { ...common(status), healthy: status.healthy });
}

/** A check port, on any path: 200 while this node has ready endpoints of the Service. */
export function nodePortAnswer(check: HealthCheckNodePort, proxyHealthy: boolean): HttpAnswer {
  const { namespace, name, localEndpoints } = check;
  const answer = json(localEndpoints > 0 && proxyHealthy, {
    service: { namespace, name },
    localEndpoints,
    serviceProxyHealthy: proxyHealthy,
  });
  return { ...answer, headers: { 'X-Load-Balancing-Endpoint-Weight': String(localEndpoints) } };
}

function common({ lastUpdatedMs, currentMs }: HealthStatus): {
  lastUpdated: string;
  currentTime: string;
} {
  return { lastUpdated: goTime(lastUpdatedMs), currentTime: goTime(currentMs) };
}

function json(ok: boolean, body: unknown): HttpAnswer {
  return {
    status: ok ? 200 : 503,
    contentType: 'application/json',
    body: JSON.stringify(body, undefined, 2),
  };
}

/** As Go prints a UTC time; its zero time when there is none. */
function goTime(ms: number | undefined): string {
  if (ms === undefined) return '0001-01-01 00:00:00 +0000 UTC';
  return `${new Date(ms).toISOString().replace('T', ' ').replace('Z', '')} +0000 UTC`;
}
