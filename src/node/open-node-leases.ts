import type { Node } from '../api/types/core.ts';
import type { Clock } from '../base/clock.ts';
import { parseIp } from '../base/ip.ts';
import type { Logger } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import type { Client } from '../controlplane/client/client.ts';
import type { NetConf } from '../overlay/net-conf.ts';
import { readSubnets } from '../overlay/subnet-env.ts';
import { EtcdNodeLeases } from './etcd-node-leases.ts';
import { KubeNodeLeases } from './kube-node-leases.ts';
import type { NodeLeases } from './node-leases.ts';
import type { ObjectFeed } from './object-feed.ts';
import type { OverlaySettings } from './overlay-settings.ts';

export interface OpenNodeLeasesOptions extends Pick<OverlaySettings, 'etcd'> {
  readonly name: string;
  /** IPv4. */
  readonly address: string;
  readonly conf: NetConf;
  readonly nodes: ObjectFeed<Node>;
  readonly client: Client;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly subnetEnvPath: string;
}

/** The node's subnet from where the settings say. Rejects with NO_POD_CIDR or NO_SUBNET, or as the store does. */
export async function openNodeLeases(options: OpenNodeLeasesOptions): Promise<NodeLeases> {
  const { etcd, address, clock, random, subnetEnvPath } = options;
  if (etcd === undefined) return KubeNodeLeases.open(options);
  const publicIp = parseIp(address);
  if (publicIp === undefined) throw new TypeError(`${address} is no address`);
  // Only who asks for etcd waits until its client is loaded.
  const { EtcdLeaseKv } = await import('./etcd-lease-kv.ts');
  return EtcdNodeLeases.open({
    ...options,
    kv: new EtcdLeaseKv(etcd.endpoints, clock),
    prefix: etcd.prefix,
    publicIp,
    previous: readSubnets(subnetEnvPath),
    random: random.fork('leases'),
  });
}
