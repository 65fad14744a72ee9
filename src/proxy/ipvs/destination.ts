import { formatHostPort } from '../../base/ip.ts';
import { foldAddress } from './hashing.ts';
import type { KernelBehaviour } from './kernel.ts';
import { TrafficMeter } from './traffic.ts';

/** What an administrator sets of a real server. Thresholds count active and inactive connections; 0: none. */
export interface DestinationSettings {
  readonly weight: number;
  readonly upperThreshold?: number;
  readonly lowerThreshold?: number;
}

/**
 * A real server of one virtual service (struct ip_vs_dest). Outlives its removal while connections refer
 * to it, and is the same object again when the same address and port are added back in time.
 */
export class Destination {
  readonly address: string;
  /** 0: connections keep the port the client dialled. */
  readonly port: number;
  /** `address:port`, IPv6 in brackets. */
  readonly name: string;
  readonly foldedAddress: number;
  weight = 0;
  /** The last weight that was not 0; only mh looks at it. */
  lastWeight = 0;
  upperThreshold = 0;
  lowerThreshold = 0;
  activeConnections = 0;
  /** Active and inactive ones; templates are not among them. */
  totalConnections = 0;
  persistentConnections = 0;
  /** The thresholds' verdict: no new connections, except of clients with a template. */
  overloaded = false;
  /** Part of a service, not in the trash. */
  available = false;
  /** Index in the service's list; after unlinking the index it had. */
  position = -1;
  /** Connections, templates and scheduler caches that hold on to it. */
  references = 0;
  readonly traffic: TrafficMeter = new TrafficMeter();

  constructor(address: string, port: number) {
    this.address = address;
    this.port = port;
    this.name = formatHostPort(address, port);
    this.foldedAddress = foldAddress(address);
  }

  get inactiveConnections(): number {
    return Math.max(this.totalConnections - this.activeConnections, 0);
  }

  /** May be given new connections. */
  get usable(): boolean {
    return this.weight > 0 && !this.overloaded;
  }

  /** Applies settings on add and on edit (__ip_vs_update_dest). */
  configure(settings: DestinationSettings, isAdd: boolean, kernel: KernelBehaviour): void {
    const upper = settings.upperThreshold ?? 0;
    const lower = settings.lowerThreshold ?? 0;
    this.weight = settings.weight;
    if (isAdd || settings.weight !== 0) this.lastWeight = settings.weight;
    const raised = upper === 0 || upper > this.upperThreshold;
    const changed = upper !== this.upperThreshold || lower !== this.lowerThreshold;
    this.upperThreshold = upper;
    this.lowerThreshold = lower;
    if (kernel.thresholdEdit === 'clear-when-raised') {
      if (raised) this.overloaded = false;
    } else if (changed) {
      this.checkUpperThreshold();
      this.checkLowerThreshold();
    }
  }

  /** After a connection came. */
  checkUpperThreshold(): void {
    if (this.upperThreshold !== 0 && this.totalConnections >= this.upperThreshold)
      this.overloaded = true;
  }

  /** After a connection went. Without a lower threshold, three quarters of the upper one count. */
  checkLowerThreshold(): void {
    const below =
      this.lowerThreshold !== 0
        ? this.totalConnections < this.lowerThreshold
        : this.totalConnections * 4 < this.upperThreshold * 3;
    if (below || this.upperThreshold === 0) this.overloaded = false;
  }
}
