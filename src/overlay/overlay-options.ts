import type { Clock } from '../base/clock.ts';
import type { Cidr, IpAddress } from '../base/ip.ts';
import type { Logger } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import type { TcpConfig } from '../netstack/tcp/tcp-config.ts';
import type { MacAddress } from '../wire/mac.ts';
import type { NetConf } from './net-conf.ts';
import type { PodDatagramDialer } from './pod-datagrams.ts';
import type { PodDialer } from './pod-gate.ts';

export interface OverlayNodeOptions {
  readonly name: string;
  /** IPv4. Its VTEP is there, on the port of net-conf.json. */
  readonly publicIp: IpAddress;
  /** The node's pods, IPv4. */
  readonly subnet: Cidr;
  readonly conf: NetConf;
  /** What is on the link of the public address, for DirectRouting and host-gw. */
  readonly underlayNetworks: readonly Cidr[];
  /** Default `eth0`; only shown. */
  readonly underlayDevice?: string;
  /** Of the underlay: 1500 as on most networks, 65,536 as loopback has it. */
  readonly underlayMtu: number;
  /** The MAC that the node had before, if any: keeping it spares its peers a change. */
  readonly vtepMac?: MacAddress | undefined;
  readonly dialPod: PodDialer;
  readonly dialPodDatagrams: PodDatagramDialer;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly tcp?: Partial<TcpConfig>;
  /** Take inner checksums that a kernel left to hardware that is not there. Default false: dropped, counted. */
  readonly acceptPartialChecksums?: boolean;
  /** Drop what comes from hosts that no lease names. Default false, as a kernel does. */
  readonly checkPeers?: boolean;
}
