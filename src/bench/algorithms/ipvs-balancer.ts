import { shuffle } from '../../base/random.ts';
import { Ipvs } from '../../proxy/ipvs/ipvs.ts';
import type { Connection } from '../../proxy/ipvs/connection.ts';
import { Destination } from '../../proxy/ipvs/destination.ts';
import { currentKernel } from '../../proxy/ipvs/kernel.ts';
import type { SchedulerName } from '../../proxy/ipvs/schedulers/registry.ts';
import type { SchedulerFlags } from '../../proxy/ipvs/schedulers/scheduler.ts';
import { defaultSysctls } from '../../proxy/ipvs/sysctls.ts';
import { TimerHeap } from '../../proxy/ipvs/timer-heap.ts';
import { type ServiceId, VirtualService } from '../../proxy/ipvs/virtual-service.ts';
import { SERVICE_ADDRESS, SERVICE_PORT } from '../scenario/network-plan.ts';
import type { Balancer, BalancerContext, EligibleBackend } from './balancer.ts';
import { ExpiryQueue } from './expiry-queue.ts';

const REFUSED = -1;
/** How long an ended connection goes on to count as inactive: TIME_WAIT, CLOSE, and UDP's one timeout. */
const TIME_WAIT_MS = 120_000;
const CLOSE_MS = 10_000;
const UDP_MS = 300_000;
/** kube-proxy looks at draining real servers this often (pkg/proxy/ipvs/graceful_termination.go). */
const DRAIN_CHECK_MS = 60_000;
/** kube-proxy sets these; the rest are the kernel's. */
const SYSCTLS = { ...defaultSysctls, expire_nodest_conn: 1, expire_quiescent_template: 1 };

export interface IpvsChoice {
  readonly scheduler: SchedulerName;
  readonly flags: SchedulerFlags;
}

/** One node's virtual server, driven as kube-proxy drives it. */
export function ipvsBalancer(choice: IpvsChoice, context: BalancerContext): Balancer {
  return context.affinitySeconds === undefined
    ? new SchedulerBalancer(choice, context)
    : new DirectorBalancer(choice, context, context.affinitySeconds);
}

function serviceId(context: BalancerContext): ServiceId {
  return {
    kind: 'address',
    protocol: context.protocol,
    address: SERVICE_ADDRESS,
    port: SERVICE_PORT,
  };
}

/**
 * The proxy's own virtual service and scheduler, with connections reduced to what schedulers can see of
 * them: the active and total counts, and when an ended one stops to count. The full connection table
 * (addresses, states, timers) would take most of a simulation's time and decide the same; test/bench
 * holds one against the other.
 */
class SchedulerBalancer implements Balancer {
  readonly #context: BalancerContext;
  readonly #service: VirtualService;
  readonly #destinations: (Destination | undefined)[] = [];
  readonly #indexOf = new Map<Destination, number>();
  readonly #drained = new Set<Destination>();
  readonly #timeWait = new ExpiryQueue();
  readonly #closed = new ExpiryQueue();
  readonly #countsActive: boolean;
  readonly #packet = {
    source: { address: '', port: 0 },
    destination: { address: SERVICE_ADDRESS, port: SERVICE_PORT },
  };
  readonly #sources: string[] = [];
  #chosen = new Int32Array(1024);
  #nextDrainCheckAt = Infinity;

  constructor(choice: IpvsChoice, context: BalancerContext) {
    this.#context = context;
    this.#countsActive = context.protocol === 'TCP';
    this.#service = new VirtualService(
      serviceId(context),
      { scheduler: choice.scheduler, schedulerFlags: choice.flags },
      {
        random: context.random,
        kernel: currentKernel,
        sysctls: SYSCTLS,
        timers: new TimerHeap(context.clock),
        now: () => context.clock.now(),
      },
    );
  }

  update(eligible: readonly EligibleBackend[]): void {
    this.#expire();
    const wanted = new Set(eligible.map(({ index }) => index));
    for (const [index, destination] of this.#destinations.entries())
      if (destination?.available === true && !wanted.has(index)) this.#remove(destination);
    for (const backend of eligible) this.#edit(backend);
    // kube-proxy adds what is new in one sync from an unordered set.
    const added = eligible.filter(({ index }) => this.#destinations[index]?.available !== true);
    for (const backend of shuffle(added, this.#context.random)) this.#add(backend);
  }

  open(connection: number, source: number, port: number): number {
    this.#expire();
    this.#packet.source.address = this.#sources[source] ??= this.#context.sourceAddress(source);
    this.#packet.source.port = port;
    const destination = this.#service.scheduler.schedule(this.#packet);
    if (destination === undefined) return REFUSED;
    destination.totalConnections += 1;
    if (this.#countsActive) destination.activeConnections += 1;
    const index = this.#indexOf.get(destination) ?? REFUSED;
    if (connection >= this.#chosen.length) this.#grow();
    this.#chosen[connection] = index;
    return index;
  }

  close(connection: number, how: 'client' | 'server' | 'failed'): void {
    const index = this.#chosen[connection] as number;
    const destination = this.#destinations[index];
    const now = this.#context.clock.now();
    if (!this.#countsActive) this.#timeWait.push(now + UDP_MS, index);
    else {
      if (destination !== undefined) destination.activeConnections -= 1;
      if (how === 'failed') this.#closed.push(now + CLOSE_MS, index);
      else this.#timeWait.push(now + TIME_WAIT_MS, index);
    }
  }

  #add({ index, address, port, weight }: EligibleBackend): void {
    const destination = this.#destinations[index] ?? new Destination(address, port);
    this.#destinations[index] = destination;
    this.#indexOf.set(destination, index);
    destination.configure({ weight }, true, currentKernel);
    this.#service.link(destination);
  }

  #edit({ index, weight }: EligibleBackend): void {
    const destination = this.#destinations[index];
    if (destination?.available !== true || destination.weight === weight) return;
    this.#drained.delete(destination);
    destination.configure({ weight }, false, currentKernel);
    this.#service.updated(destination);
  }

  /** Graceful termination: weight 0 until nothing refers to it; UDP does not wait. */
  #remove(destination: Destination): void {
    if (!this.#countsActive || destination.totalConnections === 0) {
      this.#service.unlink(destination);
      return;
    }
    if (this.#drained.has(destination)) return;
    this.#drained.add(destination);
    destination.configure({ weight: 0 }, false, currentKernel);
    this.#service.updated(destination);
    if (this.#nextDrainCheckAt === Infinity)
      this.#nextDrainCheckAt = this.#context.clock.now() + DRAIN_CHECK_MS;
  }

  /** Catches up with what has happened by now. Only a scheduling can tell when, so nothing runs on time. */
  #expire(): void {
    const now = this.#context.clock.now();
    while (this.#nextDrainCheckAt <= now) this.#checkDrained(this.#nextDrainCheckAt);
    this.#release(now);
  }

  #release(now: number): void {
    for (const queue of [this.#timeWait, this.#closed])
      while (queue.nextAt <= now) {
        const destination = this.#destinations[queue.shift()];
        if (destination !== undefined) destination.totalConnections -= 1;
      }
  }

  #checkDrained(at: number): void {
    this.#release(at);
    for (const destination of this.#drained) {
      if (destination.totalConnections > 0) continue;
      this.#drained.delete(destination);
      this.#service.unlink(destination);
    }
    this.#nextDrainCheckAt = this.#drained.size > 0 ? at + DRAIN_CHECK_MS : Infinity;
  }

  #grow(): void {
    const larger = new Int32Array(this.#chosen.length * 2);
    larger.set(this.#chosen);
    this.#chosen = larger;
  }
}

/** A whole director, for what needs its connection table: persistence templates. */
class DirectorBalancer implements Balancer {
  readonly #context: BalancerContext;
  readonly #ipvs: Ipvs;
  readonly #id: ServiceId;
  readonly #indexOf = new Map<string, number>();
  readonly #connections: (Connection | undefined)[] = [];
  #eligible: readonly EligibleBackend[] = [];

  constructor(choice: IpvsChoice, context: BalancerContext, affinitySeconds: number) {
    this.#context = context;
    this.#id = serviceId(context);
    this.#ipvs = new Ipvs({ clock: context.clock, random: context.random, sysctls: SYSCTLS });
    this.#ipvs.addService(this.#id, {
      scheduler: choice.scheduler,
      schedulerFlags: choice.flags,
      persistence: { timeoutMs: affinitySeconds * 1000, netmask: 0xffff_ffff },
    });
  }

  update(eligible: readonly EligibleBackend[]): void {
    const before = new Map(this.#eligible.map((backend) => [backend.index, backend]));
    const wanted = new Set(eligible.map(({ index }) => index));
    for (const backend of this.#eligible) if (!wanted.has(backend.index)) this.#drain(backend);
    const added: EligibleBackend[] = [];
    for (const backend of eligible) {
      const { address, port, weight } = backend;
      this.#indexOf.set(address, backend.index);
      const known = before.get(backend.index);
      if (known === undefined) added.push(backend);
      else if (known.weight !== weight)
        this.#ipvs.editDestination(this.#id, { address, port }, { weight });
    }
    for (const { address, port, weight } of shuffle(added, this.#context.random))
      this.#ipvs.addDestination(this.#id, { address, port }, { weight });
    this.#eligible = eligible;
  }

  open(connection: number, source: number, port: number): number {
    const verdict = this.#ipvs.schedule({
      protocol: this.#context.protocol,
      source: { address: this.#context.sourceAddress(source), port },
      destination: { address: SERVICE_ADDRESS, port: SERVICE_PORT },
    });
    if (verdict.kind !== 'forward') return REFUSED;
    if (this.#context.protocol === 'TCP') this.#ipvs.clientPacket(verdict.connection);
    this.#connections[connection] = verdict.connection;
    return this.#indexOf.get(verdict.destination.address) ?? REFUSED;
  }

  close(connection: number, how: 'client' | 'server' | 'failed'): void {
    const entry = this.#connections[connection];
    if (entry === undefined) return;
    this.#connections[connection] = undefined;
    if (this.#context.protocol === 'UDP') return;
    if (how === 'failed') this.#ipvs.serverPacket(entry, 'rst');
    else if (how === 'client') {
      this.#ipvs.clientPacket(entry, 'fin');
      this.#ipvs.serverPacket(entry, 'fin');
    } else {
      this.#ipvs.serverPacket(entry, 'fin');
      this.#ipvs.clientPacket(entry, 'fin');
    }
  }

  #drain({ address, port }: EligibleBackend): void {
    const where = { address, port };
    const counts = this.#ipvs.service(this.#id)?.find(address, port)?.totalConnections ?? 0;
    if (this.#context.protocol === 'UDP' || counts === 0) {
      this.#ipvs.deleteDestination(this.#id, where);
      return;
    }
    this.#ipvs.editDestination(this.#id, where, { weight: 0 });
    this.#context.clock.setTimer(DRAIN_CHECK_MS, () => {
      if (!this.#eligible.some((backend) => backend.address === address))
        this.#drain({ address, port, index: 0, weight: 0 });
    });
  }
}
