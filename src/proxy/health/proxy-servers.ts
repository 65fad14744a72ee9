import { Lifetime, type Resource } from '../../base/lifetime.ts';
import type { Metrics } from '../../base/metrics.ts';
import type { SocketAddress } from '../flow.ts';
import type { ProxyMetrics } from '../proxy-metrics.ts';
import { healthzAnswer, livezAnswer } from './health-answers.ts';
import { type HttpAnswer, type HttpServer, NOT_FOUND, serveHttp, text } from './http-server.ts';
import type { ProxyHealth } from './proxy-health.ts';

/** kube-proxy's `--healthz-port` and `--metrics-port`. */
export const HEALTHZ_PORT = 10_256;
export const METRICS_PORT = 10_249;

/** What the two servers tell about. */
export interface ProxyServersOptions {
  /** Where `/healthz` and `/livez` are; undefined: nowhere. */
  readonly healthz: SocketAddress | undefined;
  /** Where `/metrics`, `/proxyMode` and the plain `/healthz` are; undefined: nowhere. */
  readonly metrics: SocketAddress | undefined;
  readonly nodeName: string;
  readonly mode: string;
  /** What `/configz` answers with. */
  readonly configz: unknown;
  readonly health: ProxyHealth;
  readonly proxyMetrics: ProxyMetrics;
  readonly registry: Metrics;
}

export interface ProxyServers extends Resource {
  readonly healthz: SocketAddress | undefined;
  readonly metrics: SocketAddress | undefined;
}

/** Opens what a kube-proxy answers itself. Rejects with the system's error when an address is taken. */
export async function startProxyServers(options: ProxyServersOptions): Promise<ProxyServers> {
  const lifetime = new Lifetime(`proxy servers of ${options.nodeName}`);
  const open = async (
    local: SocketAddress | undefined,
    answer: (path: string) => HttpAnswer | Promise<HttpAnswer>,
  ): Promise<HttpServer | undefined> =>
    local === undefined ? undefined : lifetime.own(await serveHttp(local, answer));
  try {
    const healthz = await open(options.healthz, (path) => answerHealth(options, path));
    const metrics = await open(options.metrics, (path) => answerMetrics(options, path));
    return {
      healthz: healthz?.local,
      metrics: metrics?.local,
      close: () => lifetime.close(),
      [Symbol.asyncDispose]: () => lifetime[Symbol.asyncDispose](),
    };
  } catch (error) {
    await lifetime[Symbol.asyncDispose]();
    throw error;
  }
}

function answerHealth({ health, proxyMetrics }: ProxyServersOptions, path: string): HttpAnswer {
  if (path !== '/healthz' && path !== '/livez') return NOT_FOUND;
  const status = health.status();
  const answer = path === '/healthz' ? healthzAnswer(status) : livezAnswer(status);
  proxyMetrics.asked(path, answer.status);
  return answer;
}

async function answerMetrics(options: ProxyServersOptions, path: string): Promise<HttpAnswer> {
  switch (path) {
    case '/metrics':
      return {
        status: 200,
        contentType: options.registry.contentType,
        body: await options.registry.metrics(),
      };
    case '/configz':
      return {
        status: 200,
        contentType: 'application/json',
        body: JSON.stringify(options.configz),
      };
    case '/proxyMode':
      return text(200, options.mode);
    case '/healthz':
      return text(200, 'ok');
    default:
      return NOT_FOUND;
  }
}
