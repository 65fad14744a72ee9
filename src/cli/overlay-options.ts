import { type Command, InvalidArgumentError, Option } from 'commander';
import type { ClusterConfigInput } from '../cluster/cluster-config.ts';

type OverlayInput = NonNullable<ClusterConfigInput['overlay']>;

/** Options of commands that start nodes with an overlay. */
export interface OverlayFlags {
  readonly overlayBackend?: NonNullable<OverlayInput['backend']>;
  readonly underlayMtu?: number;
  readonly overlayEtcd?: string;
  readonly acceptPartialChecksums?: boolean;
}

export function addOverlayOptions(command: Command): Command {
  return command
    .option(
      '--underlay-mtu <bytes>',
      'largest packet between nodes: 1500 gives pods the usual 1450 (default 65536)',
      Number,
    )
    .addOption(
      new Option(
        '--overlay-backend <backend>',
        "vxlan (default), host-gw, or flannel's Backend object as JSON",
      ).argParser(backendOf),
    )
    .option(
      '--overlay-etcd <urls>',
      'keep subnet leases in this etcd in the layout of flannel, instead of in Nodes',
    )
    .option(
      '--accept-partial-checksums',
      'take what a Linux vxlan device sends with its offloads on (podwire overlay status counts it)',
    );
}

/** What the flags say, and nothing else. */
export function overlayInput(flags: OverlayFlags): OverlayInput {
  return {
    ...(flags.overlayBackend === undefined ? {} : { backend: flags.overlayBackend }),
    ...(flags.underlayMtu === undefined ? {} : { underlayMTU: flags.underlayMtu }),
    ...(flags.overlayEtcd === undefined ? {} : { etcdEndpoints: flags.overlayEtcd }),
    ...(flags.acceptPartialChecksums === undefined
      ? {}
      : { acceptPartialChecksums: flags.acceptPartialChecksums }),
  };
}

function backendOf(text: string): NonNullable<OverlayInput['backend']> {
  if (!text.startsWith('{')) return { Type: text };
  try {
    return JSON.parse(text) as NonNullable<OverlayInput['backend']>;
  } catch {
    throw new InvalidArgumentError('must be vxlan, host-gw, or JSON such as {"Type":"vxlan"}.');
  }
}
