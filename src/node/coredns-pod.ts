import { readFile } from 'node:fs/promises';
import type { Pod } from '../api/types/core.ts';
import type { Clock } from '../base/clock.ts';
import { createMetrics } from '../base/metrics.ts';
import type { Random } from '../base/random.ts';
import { DnsServer } from '../dns/server/dns-server.ts';
import type { DnsSource } from '../dns/source/dns-source.ts';
import { DEFAULT_TCP_LIMITS } from '../dns/server/tcp-listener.ts';
import { corednsLogger } from './coredns-log.ts';
import type { DnsServers } from './dns-servers.ts';
import type { ImageServices } from './images/image.ts';
import type { ObjectFeed } from './object-feed.ts';
import { podOf } from './pod-of.ts';

const DNS_PORT = 53;

/** With the lameduck of the usual Corefile this stays within a pod's usual 30 s of grace. */
const TCP_DRAIN_MS = 20_000;

/** What the built-in coredns image runs: a DNS server on the pod's own address, following its Corefile. */
export function corednsPods(options: {
  readonly clock: Clock;
  readonly random: Random;
  readonly source: DnsSource;
  readonly pods: ObjectFeed<Pod>;
  /** Learns of each server while it runs. */
  readonly servers: DnsServers;
  readonly bindPort: ImageServices['bindPort'];
}): NonNullable<ImageServices['startDns']> {
  const { clock, random, source, pods, servers, bindPort } = options;
  return async (spec, file) => {
    const { ip, name, nodeName } = spec.pod;
    const readCorefile = (): Promise<string> => readFile(file, 'utf8');
    let exit: (code: number) => void = () => undefined;
    const exited = new Promise<number>((resolve) => {
      exit = resolve;
    });
    const server = await DnsServer.start({
      clock,
      random: random.fork(`coredns ${name}`),
      log: corednsLogger(spec.output),
      metrics: createMetrics(),
      source,
      localAddresses: [ip],
      hostAddress: ip,
      corefile: { file, text: await readCorefile() },
      readCorefile,
      podOf: podOf(pods),
      onFatal: (error) => {
        spec.output.write('stderr', `${error.message}\n`);
        exit(1);
      },
      tcpLimits: { ...DEFAULT_TCP_LIMITS, drainTimeoutMs: TCP_DRAIN_MS },
      listen: [{ address: ip, port: bindPort(ip, DNS_PORT), corefilePort: DNS_PORT }],
    });
    spec.output.write('stdout', `CoreDNS for ${name} at ${ip}:${DNS_PORT}\n`);
    const forget = servers.add({ name, node: nodeName, address: `${ip}:${DNS_PORT}`, server });
    return {
      exited,
      close: () => server.close().finally(forget),
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]().finally(forget),
    };
  };
}
