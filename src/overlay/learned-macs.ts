import type { Clock } from '../base/clock.ts';
import type { IpAddress } from '../base/ip.ts';
import { isGroupMac, type MacAddress } from '../wire/mac.ts';

/** Linux: vxlan's ageing of 300 s; the bound is podwire's. */
const AGEING_MS = 300_000;
const MAX_MACS = 4096;

/** Which VTEP a MAC was last seen behind. At most 4,096; the one seen longest ago makes room. */
export class LearnedMacs {
  readonly #clock: Clock;
  readonly #seen = new Map<MacAddress, { readonly at: number; readonly address: IpAddress }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  learn(mac: MacAddress, address: IpAddress): void {
    if (isGroupMac(mac)) return;
    // Taken out first, so that the order of the map is the order of sight.
    this.#seen.delete(mac);
    this.#seen.set(mac, { at: this.#clock.now(), address });
    const [oldest] = this.#seen.keys();
    if (this.#seen.size > MAX_MACS && oldest !== undefined) this.#seen.delete(oldest);
  }

  lookup(mac: MacAddress): IpAddress | undefined {
    const seen = this.#seen.get(mac);
    if (seen === undefined || this.#clock.now() - seen.at <= AGEING_MS) return seen?.address;
    this.#seen.delete(mac);
    return undefined;
  }

  clear(): void {
    this.#seen.clear();
  }
}
