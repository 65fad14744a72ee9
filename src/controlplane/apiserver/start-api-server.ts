import type { Service } from '../../api/types/core.ts';
import type { Clock } from '../../base/clock.ts';
import type { Lifetime } from '../../base/lifetime.ts';
import type { Logger } from '../../base/log.ts';
import type { Metrics } from '../../base/metrics.ts';
import type { Random } from '../../base/random.ts';
import type { ApiRegistry } from '../registry/api-registry.ts';
import { advertise } from './advertise.ts';
import { createApiHandler } from './api-handler.ts';
import { ApiServer, type ListenAddress, type Patience } from './api-server.ts';
import { loadCredentials } from './credentials.ts';
import { kubeconfigText } from './kubeconfig.ts';
import type { AskNode, ForwardHttp, PodAccess } from './pod-access.ts';

/** The API over HTTPS, for kubectl and other clients. */
export interface ApiServerConfig {
  readonly listen: ListenAddress;
  /** Where the authority and the token are kept; absent: made anew at every start. */
  readonly credentialsDirectory?: string;
  readonly insecure?: ListenAddress;
  /** More names and addresses the certificate is for and requests may name. */
  readonly names?: readonly string[];
  readonly pods?: PodAccess;
  readonly forward?: ForwardHttp;
  readonly patience?: Patience;
  readonly askNode?: AskNode;
}

export interface RunningApiServer {
  /** `https://127.0.0.1:6443`. */
  readonly url: string;
  readonly insecureUrl: string | undefined;
  /** The content of a kubeconfig for it. */
  readonly kubeconfig: string;
}

/** What clients inside and outside call the API server (kubeadm's certificate names). */
const NAMES = [
  'localhost',
  'kubernetes',
  'kubernetes.default',
  'kubernetes.default.svc',
  'kubernetes.default.svc.cluster.local',
];

/** What pods call it by address. */
function clusterIPs(registry: ApiRegistry): readonly string[] {
  const service = registry.resource('services').find('kubernetes', 'default');
  return (service as Service | undefined)?.spec.clusterIPs ?? [];
}

/** The first address of the host, when it listens on all of them. */
function advertisedIp(host: string): string {
  return host === 'localhost' || host === '0.0.0.0' ? '127.0.0.1' : host;
}

/** Starts the API server over a registry; `lifetime` owns it. */
export async function startApiServer(
  config: ApiServerConfig,
  base: {
    readonly clock: Clock;
    readonly random: Random;
    readonly logger: Logger;
    readonly metrics: Metrics;
  },
  registry: ApiRegistry,
  lifetime: Lifetime,
): Promise<RunningApiServer> {
  const { clock, random, logger, metrics } = base;
  const hostNames = [
    ...new Set([
      ...NAMES,
      config.listen.host,
      '127.0.0.1',
      ...clusterIPs(registry),
      ...(config.names ?? []),
    ]),
  ];
  const credentials = await loadCredentials({
    directory: config.credentialsDirectory,
    names: hostNames,
    nowMs: clock.wallNow(),
  });
  let address = '';
  const handler = createApiHandler({
    registry,
    clock,
    random: random.fork('api-server'),
    logger,
    metrics,
    address: () => address,
    pods: config.pods,
    forward: config.forward,
    askNode: config.askNode,
  });
  const server = lifetime.own(
    await ApiServer.start({
      handler,
      clock,
      logger,
      metrics,
      secure: config.listen,
      credentials,
      hostNames,
      insecure: config.insecure,
      patience: config.patience,
    }),
  );
  const { host, hostname, port } = new URL(server.url);
  address = host;
  await advertise(registry, { ip: advertisedIp(hostname), port: Number(port) });
  return {
    url: server.url,
    insecureUrl: server.insecureUrl,
    kubeconfig: kubeconfigText({
      server: server.url,
      caCertificate: credentials.caCertificate,
      token: credentials.token,
    }),
  };
}
