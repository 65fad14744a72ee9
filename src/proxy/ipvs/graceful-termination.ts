import type { Clock, Timer } from '../../base/clock.ts';
import type { Ipvs } from './ipvs.ts';
import type { DestinationAddress } from './service-table.ts';
import { type ServiceId, serviceKey } from './virtual-service.ts';

/** What graceful termination asks of a director. */
export type TerminationDirector = Pick<Ipvs, 'service' | 'editDestination' | 'deleteDestination'>;

interface Terminating {
  readonly service: ServiceId;
  readonly destination: DestinationAddress;
}

const RECHECK_INTERVAL_MS = 60_000;

/**
 * How kube-proxy removes real servers in its ipvs mode (pkg/proxy/ipvs/graceful_termination.go): one
 * that still has connections gets weight 0 and is looked at every minute, counted from this object's
 * creation, until it has none. Owns one timer of its clock while anything terminates.
 */
export class GracefulTermination {
  readonly #director: TerminationDirector;
  readonly #clock: Clock;
  readonly #startedAtMs: number;
  readonly #terminating = new Map<string, Terminating>();
  #timer: Timer | undefined;

  constructor(director: TerminationDirector, clock: Clock) {
    this.#director = director;
    this.#clock = clock;
    this.#startedAtMs = clock.now();
  }

  /** How many real servers are draining. */
  get size(): number {
    return this.#terminating.size;
  }

  has(service: ServiceId, destination: DestinationAddress): boolean {
    return this.#terminating.has(terminationKey(service, destination));
  }

  /** The endpoint is gone: deleted at once if nothing is lost by it, else drained. */
  remove(service: ServiceId, destination: DestinationAddress): void {
    const terminating = { service, destination };
    if (this.#deletes(terminating)) return;
    this.#director.editDestination(service, destination, { weight: 0 });
    this.#terminating.set(terminationKey(service, destination), terminating);
    this.#arm();
  }

  /**
   * The endpoint is wanted again. True when it was draining: it has been deleted now, and the caller adds
   * it anew, which puts it at the head of the list.
   */
  reappear(service: ServiceId, destination: DestinationAddress): boolean {
    if (!this.#terminating.delete(terminationKey(service, destination))) return false;
    this.#director.deleteDestination(service, destination);
    this.#disarmWhenIdle();
    return true;
  }

  /** Forgets all without touching the director. */
  close(): void {
    this.#terminating.clear();
    this.#disarmWhenIdle();
  }

  /** UDP entries would keep a server for their timeout with nobody behind them: not waited for. */
  #deletes({ service, destination }: Terminating): boolean {
    const found = this.#director.service(service)?.find(destination.address, destination.port);
    if (found === undefined) return true;
    const isUdp = service.kind === 'address' && service.protocol === 'UDP';
    if (!isUdp && found.totalConnections > 0) return false;
    this.#director.deleteDestination(service, destination);
    return true;
  }

  #recheck(): void {
    this.#timer = undefined;
    for (const [key, terminating] of this.#terminating)
      if (this.#deletes(terminating)) this.#terminating.delete(key);
    this.#arm();
  }

  #arm(): void {
    if (this.#timer !== undefined || this.#terminating.size === 0) return;
    const sinceTickMs = (this.#clock.now() - this.#startedAtMs) % RECHECK_INTERVAL_MS;
    this.#timer = this.#clock.setTimer(RECHECK_INTERVAL_MS - sinceTickMs, () => this.#recheck());
  }

  #disarmWhenIdle(): void {
    if (this.#terminating.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}

function terminationKey(service: ServiceId, { address, port }: DestinationAddress): string {
  return `${serviceKey(service)} ${address} ${port}`;
}
