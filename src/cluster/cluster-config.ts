import type { OverlaySettings } from '../node/overlay-settings.ts';
import { ENGINE_CHOICES, type EngineChoice, MOST_ENGINE_THREADS } from '../node/shared-ingress.ts';
import { type OverlayInput, resolveOverlay } from './overlay-config.ts';
import {
  type KubeProxyInput,
  type KubeProxySettings,
  resolveKubeProxy,
} from './kube-proxy-settings.ts';
import {
  type NetworkingInput,
  type NetworkingSettings,
  resolveNetworking,
} from './networking-settings.ts';
import {
  type NodeLifecycleInput,
  type NodeLifecycleSettings,
  resolveNodeLifecycle,
} from './node-lifecycle-settings.ts';
import { type Draft, isComplete, type Refuse } from './settings-draft.ts';

/** What a user may choose; everything has a default. Names follow kubeadm's ClusterConfiguration. */
export interface ClusterConfigInput {
  readonly nodes?: number;
  /** Names the run: the same seed makes the same decisions. */
  readonly seed?: string;
  readonly proxyMode?: string;
  /** What moves the bytes of TCP connections. */
  readonly engine?: string;
  /** How many threads do so on the engines epoll and uring; the others have none of their own. */
  readonly engineThreads?: number;
  readonly networking?: NetworkingInput;
  readonly nodeLifecycle?: NodeLifecycleInput;
  readonly kubeProxy?: KubeProxyInput;
  readonly overlay?: OverlayInput;
}

/** Checked and frozen. */
export interface ClusterConfig extends NetworkingSettings {
  readonly nodes: number;
  readonly seed: string;
  readonly proxyMode: ProxyModeChoice;
  readonly engine: EngineChoice;
  readonly engineThreads: number;
  readonly nodeLifecycle: NodeLifecycleSettings;
  readonly kubeProxy: KubeProxySettings;
  readonly overlay: OverlaySettings;
}

export { ENGINE_CHOICES };

export const PROXY_MODES = ['iptables', 'userspace', 'nftables', 'ipvs'] as const;
export type ProxyModeChoice = (typeof PROXY_MODES)[number];

export interface ConfigError {
  /** e.g. `networking.podSubnet`. */
  readonly field: string;
  readonly message: string;
}

const DEFAULTS = { nodes: 3, proxyMode: 'ipvs', engine: 'auto', engineThreads: 1 } as const;
/** More nodes than this in one process would serve nobody. */
const MAX_NODES = 250;

export type ConfigOutcome =
  | { readonly kind: 'ok'; readonly config: ClusterConfig }
  | { readonly kind: 'invalid'; readonly errors: readonly ConfigError[] };

/** Fills in the defaults and checks everything; all errors are reported, each with its field. */
export function resolveClusterConfig(input: ClusterConfigInput, seed: string): ConfigOutcome {
  const errors: ConfigError[] = [];
  const refuse = (field: string, message: string): undefined => {
    errors.push({ field, message });
    return undefined;
  };
  const nodes = input.nodes ?? DEFAULTS.nodes;
  if (!Number.isInteger(nodes) || nodes < 1 || nodes > MAX_NODES)
    refuse('nodes', `Invalid value: ${nodes}: must be a whole number from 1 to ${MAX_NODES}`);

  const networking = resolveNetworking(input.networking ?? {}, nodes, refuse);
  const settings: Draft<ClusterConfig> = {
    nodes,
    seed: input.seed ?? seed,
    proxyMode: choice('proxyMode', input.proxyMode ?? DEFAULTS.proxyMode, PROXY_MODES, refuse),
    engine: choice('engine', input.engine ?? DEFAULTS.engine, ENGINE_CHOICES, refuse),
    engineThreads: threadsOf(input, refuse),
    ...networking,
    nodeLifecycle: resolveNodeLifecycle(input.nodeLifecycle ?? {}, refuse),
    kubeProxy: resolveKubeProxy(input.kubeProxy ?? {}, nodes, refuse),
    overlay: overlayOf(input.overlay ?? {}, networking, refuse),
  };
  return errors.length === 0 && isComplete<ClusterConfig>(settings)
    ? { kind: 'ok', config: Object.freeze(settings) }
    : { kind: 'invalid', errors };
}

function choice<T extends string>(
  field: string,
  text: string,
  choices: readonly T[],
  refuse: Refuse,
): T | undefined {
  const supported = choices.map((each) => `"${each}"`).join(', ');
  return (
    choices.find((each) => each === text) ??
    refuse(field, `Unsupported value: "${text}": supported values: ${supported}`)
  );
}

function threadsOf({ engine, engineThreads }: ClusterConfigInput, refuse: Refuse): number {
  const threads = engineThreads ?? DEFAULTS.engineThreads;
  if (!Number.isInteger(threads) || threads < 1 || threads > MOST_ENGINE_THREADS)
    refuse(
      'engineThreads',
      `Invalid value: ${threads}: must be between 1 and ${MOST_ENGINE_THREADS}`,
    );
  else if (threads > 1 && (engine === 'net' || engine === 'handle'))
    refuse(
      'engineThreads',
      `Invalid value: ${threads}: the engine "${engine}" has no threads of its own: choose epoll or uring`,
    );
  return threads;
}

/** Undefined, with nothing refused, where the addresses it needs are refused already. */
function overlayOf(
  input: OverlayInput,
  { nodeSubnet, podSubnet, nodeCIDRMaskSize }: Draft<NetworkingSettings>,
  refuse: Refuse,
): OverlaySettings | undefined {
  if (nodeSubnet === undefined || podSubnet === undefined || nodeCIDRMaskSize === undefined)
    return undefined;
  return resolveOverlay(input, { nodeSubnet, podSubnet }, nodeCIDRMaskSize, refuse);
}
