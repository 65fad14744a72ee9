import { arch, release } from 'node:os';
import { ApiError } from '../../api/api-error.ts';
import type { Node, NodeCondition, Taint } from '../../api/types/core.ts';
import type { OwnerReference } from '../../api/types/meta.ts';
import type { Lease } from '../../api/types/other.ts';
import type { Clock, Timer } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import { formatMicroTimestamp, formatTimestamp } from '../../base/timestamp.ts';
import type { Client } from '../../controlplane/client/client.ts';

export interface NodeIdentity {
  readonly name: string;
  readonly address: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints?: readonly Taint[];
  /** Version strings that `kubectl get nodes` shows. */
  readonly version: string;
  /** The kubelet's nodeLeaseDurationSeconds; four heartbeats fit in. Default 40. */
  readonly leaseDurationSeconds?: number;
}

/** The kubelet's nodeLeaseDurationSeconds, unless configured. */
export const DEFAULT_LEASE_DURATION_SECONDS = 40;
/** nodeLeaseRenewIntervalFraction. */
export const LEASE_RENEW_FRACTION = 0.25;
const LEASE_NAMESPACE = 'kube-node-lease';
/** What an emulated node offers; nothing is enforced beyond scheduling. */
const CAPACITY = { cpu: '8', memory: '16Gi', pods: '110', 'ephemeral-storage': '100Gi' } as const;

/**
 * Registers a node and says every quarter of its Lease's duration that it is alive by renewing it, as the kubelet does
 * (pkg/kubelet/nodestatus, component-helpers/apimachinery/lease).
 */
export class NodeHeartbeat {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #node: NodeIdentity;
  readonly #log: Logger;
  #nodeUid: string | undefined;
  #timer: Timer | undefined;
  #renewal: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: { client: Client; clock: Clock; node: NodeIdentity; log: Logger }) {
    this.#client = options.client;
    this.#clock = options.clock;
    this.#node = options.node;
    this.#log = options.log;
  }

  /** Resolves once the Node exists and is Ready. */
  async start(): Promise<void> {
    await this.#register();
    await this.#renewOnce();
    this.#schedule();
  }

  /** No further renewal; resolves when a running one has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#renewal;
  }

  #schedule(): void {
    if (this.#stopped) return;
    const intervalMs = this.#leaseDurationSeconds * LEASE_RENEW_FRACTION * 1000;
    this.#timer = this.#clock.setTimer(intervalMs, () => {
      this.#renewal = this.#renewOnce()
        .catch((error: unknown) =>
          this.#log.warn({ err: error, node: this.#node.name }, 'node lease not renewed'),
        )
        .then(() => this.#schedule());
    });
  }

  async #register(): Promise<void> {
    const nodes = this.#client.resource('nodes');
    const { name, labels, taints } = this.#node;
    const node: Node = {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name, labels: { ...labels } },
      spec: taints === undefined ? {} : { taints: [...taints] },
    };
    try {
      await nodes.create(node);
    } catch (error) {
      if (!(error instanceof ApiError) || error.reason !== 'AlreadyExists') throw error;
      // It was here before: its labels may have changed, its taints are its administrator's by now.
      await nodes.patch(name, undefined, { type: 'merge', body: { metadata: { labels } } });
    }
    const body = { status: this.#status() };
    const stored = await nodes.patch(name, undefined, {
      type: 'merge',
      body,
      subresource: 'status',
    });
    this.#nodeUid = stored.metadata.uid;
  }

  get #leaseDurationSeconds(): number {
    return this.#node.leaseDurationSeconds ?? DEFAULT_LEASE_DURATION_SECONDS;
  }

  #status(): NonNullable<Node['status']> {
    const { name, address, version } = this.#node;
    return {
      capacity: { ...CAPACITY },
      allocatable: { ...CAPACITY },
      conditions: this.#conditions(),
      addresses: [
        { type: 'InternalIP', address },
        { type: 'Hostname', address: name },
      ],
      nodeInfo: {
        machineID: name,
        systemUUID: name,
        bootID: name,
        kernelVersion: release(),
        osImage: 'podwire',
        containerRuntimeVersion: `podwire://${version}`,
        kubeletVersion: `v${version}`,
        kubeProxyVersion: `v${version}`,
        operatingSystem: 'linux',
        architecture: arch() === 'x64' ? 'amd64' : arch(),
      },
    };
  }

  #conditions(): NodeCondition[] {
    const now = formatTimestamp(this.#clock.wallNow());
    const condition = (
      type: string,
      status: NodeCondition['status'],
      reason: string,
      message: string,
    ): NodeCondition => ({
      type,
      status,
      lastHeartbeatTime: now,
      lastTransitionTime: now,
      reason,
      message,
    });
    return [
      condition(
        'MemoryPressure',
        'False',
        'KubeletHasSufficientMemory',
        'kubelet has sufficient memory available',
      ),
      condition(
        'DiskPressure',
        'False',
        'KubeletHasNoDiskPressure',
        'kubelet has no disk pressure',
      ),
      condition(
        'PIDPressure',
        'False',
        'KubeletHasSufficientPID',
        'kubelet has sufficient PID available',
      ),
      condition('Ready', 'True', 'KubeletReady', 'kubelet is posting ready status'),
    ];
  }

  /** The lease goes with its node. */
  #owner(): OwnerReference[] {
    const uid = this.#nodeUid;
    return uid === undefined
      ? []
      : [{ apiVersion: 'v1', kind: 'Node', name: this.#node.name, uid }];
  }

  async #renewOnce(): Promise<void> {
    const leases = this.#client.resource('leases');
    const { name } = this.#node;
    const renewTime = formatMicroTimestamp(this.#clock.wallNow());
    const spec = {
      holderIdentity: name,
      leaseDurationSeconds: this.#leaseDurationSeconds,
      renewTime,
    };
    const lease: Lease = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name, namespace: LEASE_NAMESPACE, ownerReferences: this.#owner() },
      spec,
    };
    try {
      const current = await leases.get(name, LEASE_NAMESPACE);
      await leases.update({ ...current, spec: { ...current.spec, ...spec } });
    } catch (error) {
      if (!(error instanceof ApiError) || error.reason !== 'NotFound') throw error;
      await leases.create(lease);
    }
  }
}
