import type { IpAddress } from '../base/ip.ts';
import type { LbService } from './lb-pool.ts';

export type SharingRefusal =
  /** Taken, and one of the two does not share. */
  | { readonly kind: 'inUse'; readonly address: IpAddress; readonly holder: string }
  | { readonly kind: 'sharingKeyDiffers'; readonly address: IpAddress; readonly holder: string }
  | {
      readonly kind: 'portClash';
      readonly address: IpAddress;
      readonly holder: string;
      readonly port: number;
      readonly protocol: string;
    }
  | { readonly kind: 'localBackendsDiffer'; readonly address: IpAddress; readonly holder: string };

interface Use {
  readonly address: IpAddress;
  readonly holders: Map<string, LbService>;
}

/** Which Services use which load balancer address, and who may join whom. */
export class LbAddressUses {
  readonly #uses = new Map<IpAddress['value'], Use>();
  readonly #byService = new Map<string, readonly IpAddress[]>();
  readonly #bySharingKey = new Map<string, Map<IpAddress['value'], IpAddress>>();

  addresses(): IpAddress[] {
    return Array.from(this.#uses.values(), (use) => use.address);
  }

  addressesOf(service: string): readonly IpAddress[] {
    return this.#byService.get(service) ?? [];
  }

  holdersOf(address: IpAddress): string[] {
    return [...(this.#uses.get(address.value)?.holders.keys() ?? [])];
  }

  /** Addresses that some Service with this key uses. */
  sharedUnder(key: string): IpAddress[] {
    const shared = [...(this.#bySharingKey.get(key)?.values() ?? [])];
    // Lowest first, whichever came to be shared first.
    return shared.toSorted((a, b) => (a.value < b.value ? -1 : 1));
  }

  /** Why `service` may not use the address; undefined when it may. Its own use of it does not count. */
  refusal(address: IpAddress, service: LbService): SharingRefusal | undefined {
    for (const [name, other] of this.#uses.get(address.value)?.holders ?? []) {
      if (name === service.name) continue;
      const refusal = sharingRefusal(address, service, other);
      if (refusal !== undefined) return refusal;
    }
    return undefined;
  }

  /** The Service uses these addresses from now on and no others. Returns those that nobody uses any more. */
  replace(service: LbService, addresses: readonly IpAddress[]): IpAddress[] {
    const freed = this.#leave(service.name);
    for (const address of addresses) {
      this.#join(address, service);
      freed.delete(address.value);
    }
    if (addresses.length > 0) this.#byService.set(service.name, addresses);
    return [...freed.values()];
  }

  /** Returns the addresses that nobody uses any more. */
  release(service: string): IpAddress[] {
    return [...this.#leave(service).values()];
  }

  #join(address: IpAddress, service: LbService): void {
    const use = this.#uses.get(address.value) ?? { address, holders: new Map() };
    use.holders.set(service.name, service);
    this.#uses.set(address.value, use);
    if (service.sharingKey === undefined) return;
    const shared = this.#bySharingKey.get(service.sharingKey) ?? new Map();
    shared.set(address.value, address);
    this.#bySharingKey.set(service.sharingKey, shared);
  }

  #leave(service: string): Map<IpAddress['value'], IpAddress> {
    const freed = new Map<IpAddress['value'], IpAddress>();
    for (const address of this.addressesOf(service)) {
      const use = this.#uses.get(address.value);
      const key = use?.holders.get(service)?.sharingKey;
      use?.holders.delete(service);
      if (use === undefined || use.holders.size > 0) continue;
      this.#uses.delete(address.value);
      freed.set(address.value, address);
      if (key !== undefined) this.#forgetShared(key, address);
    }
    this.#byService.delete(service);
    return freed;
  }

  #forgetShared(key: string, address: IpAddress): void {
    const shared = this.#bySharingKey.get(key);
    shared?.delete(address.value);
    if (shared?.size === 0) this.#bySharingKey.delete(key);
  }
}

function sharingRefusal(
  address: IpAddress,
  service: LbService,
  other: LbService,
): SharingRefusal | undefined {
  const holder = other.name;
  if (service.sharingKey === undefined || other.sharingKey === undefined)
    return { kind: 'inUse', address, holder };
  if (service.sharingKey !== other.sharingKey)
    return { kind: 'sharingKeyDiffers', address, holder };
  if (service.localBackends !== other.localBackends)
    return { kind: 'localBackendsDiffer', address, holder };
  const clash = service.ports.find((port) =>
    other.ports.some((theirs) => theirs.port === port.port && theirs.protocol === port.protocol),
  );
  return clash === undefined ? undefined : { kind: 'portClash', address, holder, ...clash };
}
