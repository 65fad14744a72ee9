import type { Frontend, PortFrontends } from './routing-table.ts';
import { nodePortKey, portKey } from './routing-table.ts';
import { PersistentMap } from './persistent-map.ts';

/**
 * Finds frontends by address and port. Two service ports may claim one external address and port; then the
 * one whose key sorts first has it until it goes, so that the result does not depend on the order of events.
 */
export class FrontendIndex {
  #addresses = PersistentMap.empty<string, PortFrontends>();
  #nodePorts = PersistentMap.empty<number, Frontend>();
  /** All claims on what more than one service port wants, best first. */
  readonly #contested = new Map<string, Frontend[]>();

  get addresses(): PersistentMap<string, PortFrontends> {
    return this.#addresses;
  }

  get nodePorts(): PersistentMap<number, Frontend> {
    return this.#nodePorts;
  }

  /** Replaces the frontends of the changed service ports in one step. */
  replace(removed: readonly Frontend[], added: readonly Frontend[]): void {
    this.#nodePorts = this.#nodePorts.edit((draft) => {
      for (const frontend of removed)
        if (frontend.address === undefined)
          put(draft, numberOf(frontend), this.#withdraw(frontend, draft.get(numberOf(frontend))));
      for (const frontend of added)
        if (frontend.address === undefined)
          put(draft, numberOf(frontend), this.#claim(frontend, draft.get(numberOf(frontend))));
    });
    this.#addresses = this.#addresses.edit((draft) => {
      const edited = new Map<string, Map<number, Frontend>>();
      const portsOf = (address: string): Map<number, Frontend> => {
        const known = edited.get(address);
        if (known !== undefined) return known;
        const copy = new Map(draft.get(address));
        edited.set(address, copy);
        return copy;
      };
      for (const frontend of removed) {
        if (frontend.address === undefined) continue;
        const ports = portsOf(frontend.address);
        const key = portKey(frontend.protocol, frontend.port);
        put(ports, key, this.#withdraw(frontend, ports.get(key)));
      }
      for (const frontend of added) {
        if (frontend.address === undefined) continue;
        const ports = portsOf(frontend.address);
        const key = portKey(frontend.protocol, frontend.port);
        put(ports, key, this.#claim(frontend, ports.get(key)));
      }
      for (const [address, ports] of edited)
        if (ports.size === 0) draft.delete(address);
        else draft.set(address, ports);
    });
  }

  /** Who has the place once `frontend` also wants it. */
  #claim(frontend: Frontend, holder: Frontend | undefined): Frontend {
    if (holder === undefined) return frontend;
    const place = placeOf(frontend);
    const claims = [...(this.#contested.get(place) ?? [holder]), frontend].toSorted(byServicePort);
    this.#contested.set(place, claims);
    return claims[0] as Frontend;
  }

  /** Who has the place once `frontend` does not want it any more. */
  #withdraw(frontend: Frontend, holder: Frontend | undefined): Frontend | undefined {
    const place = placeOf(frontend);
    const claims = this.#contested.get(place);
    if (claims === undefined) return holder === frontend ? undefined : holder;
    const left = claims.filter((claim) => claim !== frontend);
    if (left.length > 1) this.#contested.set(place, left);
    else this.#contested.delete(place);
    return left[0];
  }
}

interface Writable<K> {
  set(key: K, value: Frontend): unknown;
  delete(key: K): unknown;
}

function put<K>(map: Writable<K>, key: K, frontend: Frontend | undefined): void {
  if (frontend === undefined) map.delete(key);
  else map.set(key, frontend);
}

function numberOf(frontend: Frontend): number {
  return nodePortKey(frontend.family, frontend.protocol, frontend.port);
}

function placeOf(frontend: Frontend): string {
  return `${frontend.family} ${frontend.address ?? 'node'} ${portKey(frontend.protocol, frontend.port)}`;
}

function byServicePort(a: Frontend, b: Frontend): number {
  if (a.servicePort.key === b.servicePort.key) return 0;
  return a.servicePort.key < b.servicePort.key ? -1 : 1;
}
