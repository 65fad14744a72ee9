import { diffFrontends, type Frontend, type RoutingTable } from '../services/routing-table.ts';
import { formatServicePortName, serviceKey } from '../services/service-port-name.ts';
import type { ListenPurpose, Spot } from './listen-problem.ts';
import type { ProxyMode } from './proxy-mode.ts';

export interface ListenerChange {
  readonly kind: 'claim' | 'release';
  readonly spot: Spot;
  readonly purpose: ListenPurpose;
}

/**
 * Which listeners a mode needs, as changes from table to table. A frontend where every client is rejected
 * has none: the kernel then refuses in its stead.
 */
export class ListenerPlan {
  readonly #mode: ProxyMode;
  readonly #claimed = new Map<string, readonly Spot[]>();

  constructor(mode: ProxyMode) {
    this.#mode = mode;
  }

  /** The mode must know `after` already. Costs what changed. */
  next(before: RoutingTable, after: RoutingTable): ListenerChange[] {
    const changes: ListenerChange[] = [];
    for (const change of diffFrontends(before, after)) {
      const frontend = change.after ?? change.before;
      if (frontend === undefined) continue;
      const place = placeOf(frontend);
      const purpose = purposeOf(frontend);
      const old = this.#claimed.get(place) ?? [];
      const wanted = change.after === undefined ? [] : this.#spotsOf(change.after);
      for (const spot of old)
        if (!wanted.some((other) => other.address === spot.address))
          changes.push({ kind: 'release', spot, purpose });
      for (const spot of wanted) changes.push({ kind: 'claim', spot, purpose });
      if (wanted.length === 0) this.#claimed.delete(place);
      else this.#claimed.set(place, wanted);
    }
    return changes;
  }

  #spotsOf(frontend: Frontend): Spot[] {
    const { protocol, port } = frontend;
    // Node has no SCTP sockets; docs/differences.md says so.
    if (protocol === 'SCTP' || this.#mode.stance(frontend) === 'reject') return [];
    return this.#mode.addresses(frontend).map((address) => ({ protocol, address, port }));
  }
}

function purposeOf({ servicePort }: Frontend): ListenPurpose {
  const { name } = servicePort.info;
  return { kind: 'traffic', service: serviceKey(name), text: formatServicePortName(name) };
}

function placeOf(frontend: Frontend): string {
  return `${frontend.family} ${frontend.protocol} ${frontend.address ?? 'node'} ${frontend.port}`;
}
