import type { Random } from '../base/random.ts';
import type { AllocationTransaction } from './allocation-transaction.ts';
import { BandedRange, type ReleaseOutcome } from './banded-range.ts';

/** Both ends included. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

export const DEFAULT_NODE_PORT_RANGE: PortRange = { first: 30_000, last: 32_767 };

export type NodePortRefusal =
  | { readonly kind: 'inUse'; readonly port: number; readonly holder: string }
  | { readonly kind: 'outOfRange'; readonly port: number; readonly range: PortRange }
  | { readonly kind: 'exhausted'; readonly range: PortRange; readonly total: number };

export type NodePortOutcome =
  | { readonly kind: 'allocated'; readonly port: number }
  | NodePortRefusal;

/** One entry of a Service's `spec.ports`. `nodePort` undefined or 0 asks for any. */
export interface NodePortRequest {
  readonly port: number;
  readonly protocol: string;
  readonly nodePort?: number | undefined;
}

export type NodePortsOutcome =
  /** One number per request, in order; 0 where none was asked for. */
  | { readonly kind: 'assigned'; readonly nodePorts: readonly number[] }
  /** The request at `index` cannot be met. Roll the transaction back. */
  | { readonly kind: 'refused'; readonly index: number; readonly reason: NodePortRefusal };

/** KEP-3668: min(max(16, size/32), 128) low ports; none in ranges of 16 or less. 86 of 30000-32767. */
const BAND = { min: 16, max: 128, divisor: 32 } as const;

/**
 * The node ports of the cluster, `healthCheckNodePort`s among them: one number is one allocation, whatever the
 * protocol. Its state is what the stored Services say: after a restart, {@link claim} every port they carry.
 */
export class NodePortAllocator {
  readonly range: PortRange;
  readonly #slots: BandedRange;

  constructor(options: { readonly range?: PortRange; readonly random: Random }) {
    this.range = options.range ?? DEFAULT_NODE_PORT_RANGE;
    const size = this.range.last - this.range.first + 1;
    this.#slots = new BandedRange(size, staticBandSize(size), options.random);
  }

  get total(): number {
    return this.#slots.size;
  }

  get used(): number {
    return this.#slots.used;
  }

  /** How many low ports are kept for requests by number while others are free. */
  get bandSize(): number {
    return this.#slots.bandSize;
  }

  holder(port: number): string | undefined {
    return this.#slots.holder(port - this.range.first);
  }

  /** Every allocation, for a repair loop that compares them with the Services that exist. */
  allocations(): { port: number; holder: string }[] {
    return Array.from(this.#slots.holders(), ([index, holder]) => ({
      port: this.range.first + index,
      holder,
    }));
  }

  /** Any free port. */
  allocate(holder: string, transaction?: AllocationTransaction): NodePortOutcome {
    const index = this.#slots.allocate(holder);
    if (index === undefined) return { kind: 'exhausted', range: this.range, total: this.total };
    transaction?.taken(() => this.#slots.release(index, holder));
    return { kind: 'allocated', port: this.range.first + index };
  }

  /** This port, in the band or above. */
  claim(port: number, holder: string, transaction?: AllocationTransaction): NodePortOutcome {
    if (!this.#contains(port)) return { kind: 'outOfRange', port, range: this.range };
    const index = port - this.range.first;
    if (!this.#slots.take(index, holder))
      return { kind: 'inUse', port, holder: this.#slots.holder(index) ?? '' };
    transaction?.taken(() => this.#slots.release(index, holder));
    return { kind: 'allocated', port };
  }

  /** With a transaction: once it commits. The outcome is the present one either way. */
  release(port: number, holder: string, transaction?: AllocationTransaction): ReleaseOutcome {
    const index = port - this.range.first;
    if (transaction === undefined) return this.#slots.release(index, holder);
    const current = this.#slots.holder(index);
    if (current !== holder) return { kind: 'notHeld', holder: current };
    transaction.releaseOnCommit(() => this.#slots.release(index, holder));
    return { kind: 'released' };
  }

  /**
   * The node ports of one Service, on create (`held` empty) and on update (`held`: the numbers it has). Entries with
   * the same `port` and different protocols share a number; a number asked for by a later one of them serves the
   * earlier ones too. Numbers no longer used are released on commit. `allocate: false`
   * (`allocateLoadBalancerNodePorts: false`) honours the numbers asked for and adds none.
   */
  assign(
    holder: string,
    requests: readonly NodePortRequest[],
    transaction: AllocationTransaction,
    options: { readonly held?: readonly number[]; readonly allocate?: boolean } = {},
  ): NodePortsOutcome {
    const held = new Set((options.held ?? []).filter((port) => port !== 0));
    const assignment = new PortAssignment(requests, held);
    for (const [index, request] of requests.entries()) {
      const wanted = assignment.wantedBy(request);
      if (wanted === 0 && options.allocate === false) continue;
      if (wanted !== 0 && assignment.mayUse(wanted, request)) {
        assignment.use(index, wanted);
        continue;
      }
      const outcome =
        wanted === 0 ? this.allocate(holder, transaction) : this.claim(wanted, holder, transaction);
      if (outcome.kind !== 'allocated') return { kind: 'refused', index, reason: outcome };
      assignment.use(index, outcome.port);
    }
    for (const port of held)
      if (!assignment.nodePorts.includes(port)) this.release(port, holder, transaction);
    return { kind: 'assigned', nodePorts: assignment.nodePorts };
  }

  #contains(port: number): boolean {
    return Number.isInteger(port) && port >= this.range.first && port <= this.range.last;
  }
}

/** Which request of a Service has which number so far. */
class PortAssignment {
  readonly nodePorts: number[];
  readonly #requests: readonly NodePortRequest[];
  readonly #held: ReadonlySet<number>;

  constructor(requests: readonly NodePortRequest[], held: ReadonlySet<number>) {
    this.#requests = requests;
    this.#held = held;
    this.nodePorts = requests.map(() => 0);
  }

  use(index: number, nodePort: number): void {
    this.nodePorts[index] = nodePort;
  }

  /** Its own number, else that of a sibling with the same `port`, else 0. */
  wantedBy(request: NodePortRequest): number {
    if (request.nodePort !== undefined && request.nodePort !== 0) return request.nodePort;
    for (const [index, other] of this.#requests.entries()) {
      if (!isSibling(request, other)) continue;
      const nodePort = this.nodePorts[index] || (other.nodePort ?? 0);
      if (nodePort !== 0) return nodePort;
    }
    return 0;
  }

  /** True when the number needs no claim: the Service holds it, and no unrelated entry of it uses it. */
  mayUse(nodePort: number, request: NodePortRequest): boolean {
    const users = this.#requests.filter((_, index) => this.nodePorts[index] === nodePort);
    if (users.length === 0) return this.#held.has(nodePort);
    return users.every((user) => isSibling(request, user));
  }
}

/** What a refusal says to the user, worded after the API server's. */
export function describeNodePortRefusal(refusal: NodePortRefusal): string {
  switch (refusal.kind) {
    case 'inUse':
      return `provided port is already allocated (to ${refusal.holder})`;
    case 'outOfRange':
      return `provided port is not in the valid range. The range of valid ports is ${refusal.range.first}-${refusal.range.last}`;
    case 'exhausted':
      return `range is full: all ${refusal.total} ports of ${refusal.range.first}-${refusal.range.last} are allocated`;
  }
}

function isSibling(a: NodePortRequest, b: NodePortRequest): boolean {
  return a.port === b.port && a.protocol !== b.protocol;
}

function staticBandSize(size: number): number {
  if (size <= BAND.min) return 0;
  return Math.min(Math.max(BAND.min, Math.floor(size / BAND.divisor)), BAND.max);
}
