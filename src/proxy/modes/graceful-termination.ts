import type { Clock, Timer } from '../../base/clock.ts';
import type { Ipvs } from '../ipvs/ipvs.ts';
import type { DestinationAddress } from '../ipvs/service-table.ts';
import { type ServiceId, serviceKey } from '../ipvs/virtual-service.ts';

/** rsCheckDeleteInterval. */
const CHECK_INTERVAL_MS = 60_000;

interface Draining {
  readonly id: ServiceId;
  readonly where: DestinationAddress;
}

/**
 * Real servers that have to go (pkg/proxy/ipvs/graceful_termination.go): at once when they have no
 * connections or speak UDP, else with weight 0 until a look each minute finds both counters at 0.
 */
export class GracefulTermination {
  readonly #ipvs: Ipvs;
  readonly #clock: Clock;
  readonly #draining = new Map<string, Draining>();
  #timer: Timer | undefined;

  constructor(ipvs: Ipvs, clock: Clock) {
    this.#ipvs = ipvs;
    this.#clock = clock;
  }

  has(id: ServiceId, where: DestinationAddress): boolean {
    return this.#draining.has(keyOf(id, where));
  }

  /** Deletes the real server now or as soon as it has no connections. */
  remove(id: ServiceId, where: DestinationAddress): void {
    if (this.#tryDelete(id, where)) return;
    this.#ipvs.editDestination(id, where, { weight: 0 });
    this.#draining.set(keyOf(id, where), { id, where });
    this.#timer ??= this.#clock.setTimer(CHECK_INTERVAL_MS, () => this.#check());
  }

  /** The endpoint came back: its real server is deleted, connections or not, for the caller to add anew. */
  recall(id: ServiceId, where: DestinationAddress): void {
    this.#ipvs.deleteDestination(id, where);
    this.#draining.delete(keyOf(id, where));
  }

  /** The virtual server is gone, and its real servers with it. */
  forget(id: ServiceId): void {
    for (const [key, draining] of this.#draining)
      if (serviceKey(draining.id) === serviceKey(id)) this.#draining.delete(key);
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#draining.clear();
  }

  #check(): void {
    this.#timer = undefined;
    for (const [key, { id, where }] of this.#draining)
      if (this.#tryDelete(id, where)) this.#draining.delete(key);
    if (this.#draining.size > 0)
      this.#timer = this.#clock.setTimer(CHECK_INTERVAL_MS, () => this.#check());
  }

  #tryDelete(id: ServiceId, where: DestinationAddress): boolean {
    const server = this.#ipvs.service(id)?.find(where.address, where.port);
    if (server === undefined) return true;
    const isTcp = id.kind === 'address' && id.protocol === 'TCP';
    if (isTcp && server.totalConnections > 0) return false;
    this.#ipvs.deleteDestination(id, where);
    return true;
  }
}

function keyOf(id: ServiceId, where: DestinationAddress): string {
  return `${serviceKey(id)} ${where.address} ${where.port}`;
}
