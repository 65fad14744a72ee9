import { RecordType } from '../../message/codes.ts';
import type { ResourceRecord } from '../../message/message.ts';
import { foldName, isSubdomain, parentOf } from '../../message/name.ts';

/** What a zone says to a question. */
export type ZoneAnswer =
  | {
      readonly kind: 'success';
      readonly answers: readonly ResourceRecord[];
      readonly open?: string;
    }
  | { readonly kind: 'noData'; readonly answers: readonly ResourceRecord[] }
  | { readonly kind: 'nameError'; readonly answers: readonly ResourceRecord[] }
  | {
      readonly kind: 'delegation';
      readonly answers: readonly ResourceRecord[];
      readonly authorities: readonly ResourceRecord[];
      readonly additionals: readonly ResourceRecord[];
    };

/** Where another zone or another name begins. */
type Cut =
  | { readonly kind: 'dname'; readonly dname: ResourceRecord }
  | { readonly kind: 'delegation'; readonly servers: readonly ResourceRecord[] };

/** Longer chains are cut, as by coredns plugin/file. */
const MAX_CHAIN = 8;

/** The records of one zone by owner: exact names, wildcards (RFC 4592), aliases, delegations. */
export class Zone {
  readonly origin: string;
  readonly soa: ResourceRecord;
  readonly nameServers: readonly ResourceRecord[];
  readonly #nodes = new Map<string, ResourceRecord[]>();
  readonly #records: readonly ResourceRecord[];

  /** Throws an Error when there is no SOA at the origin or a record lies outside. */
  constructor(origin: string, records: readonly ResourceRecord[]) {
    this.origin = origin;
    this.#records = records;
    for (const entry of records) this.#insert(entry);
    const apex = this.#nodes.get(origin) ?? [];
    const soa = apex.find(({ type }) => type === RecordType.SOA);
    if (soa === undefined) throw new Error(`no SOA record for ${origin}`);
    this.soa = soa;
    this.nameServers = apex.filter(({ type }) => type === RecordType.NS);
  }

  get serial(): number {
    return this.soa.data.kind === 'soa' ? this.soa.data.serial : 0;
  }

  /** Everything, between two copies of the SOA. */
  transfer(): ResourceRecord[] {
    return [this.soa, ...this.#records.filter((entry) => entry !== this.soa), this.soa];
  }

  /** `name` as asked; answers keep its letter case. */
  lookup(name: string, type: number, depth = 0): ZoneAnswer {
    const folded = foldName(name);
    const above = this.#cutAbove(folded, type);
    if (above?.kind === 'delegation') return this.#referral(above.servers);
    if (above?.kind === 'dname') return this.#throughDname(name, above.dname, type, depth);
    const node = this.#nodes.get(folded);
    if (node !== undefined) return this.#fromNode(name, type, node, depth);
    const wildcard = this.#wildcardFor(folded);
    if (wildcard !== undefined) return this.#fromNode(name, type, wildcard, depth);
    return { kind: 'nameError', answers: [] };
  }

  /**
   * Addresses for the additional section: of what SRV and MX point at, and of servers that lie below the
   * name they serve, IPv4 first.
   */
  glueFor(records: readonly ResourceRecord[]): ResourceRecord[] {
    const targets = records.flatMap(({ name, type, data }) => {
      if (data.kind === 'srv') return data.target;
      if (data.kind === 'mx') return data.exchange;
      const below = type === RecordType.NS && data.kind === 'name' ? data.target : undefined;
      return below !== undefined && isSubdomain(foldName(name), foldName(below)) ? below : [];
    });
    return [...new Set(targets.map((target) => foldName(target)))].flatMap((target) =>
      (this.#nodes.get(target) ?? []).filter(isAddress).toSorted((a, b) => a.type - b.type),
    );
  }

  #insert(entry: ResourceRecord): void {
    const folded = foldName(entry.name);
    if (!isSubdomain(this.origin, folded))
      throw new Error(`${entry.name} is not below the origin ${this.origin}`);
    const node = this.#nodes.get(folded);
    if (node !== undefined) node.push(entry);
    else this.#nodes.set(folded, [entry]);
    // Names in between exist too, without data (empty non-terminals).
    for (
      let above = parentOf(folded);
      above !== undefined && isSubdomain(this.origin, above) && !this.#nodes.has(above);
      above = parentOf(above)
    )
      this.#nodes.set(above, []);
  }

  #fromNode(
    name: string,
    type: number,
    node: readonly ResourceRecord[],
    depth: number,
  ): ZoneAnswer {
    const owned = (entry: ResourceRecord): ResourceRecord => ({ ...entry, name });
    const cname = node.find((entry) => entry.type === RecordType.CNAME);
    if (cname !== undefined && type !== RecordType.CNAME && cname.data.kind === 'name')
      return this.#follow([owned(cname)], cname.data.target, type, depth);
    const answers = node.filter((entry) => entry.type === type).map(owned);
    return answers.length > 0 ? { kind: 'success', answers } : { kind: 'noData', answers: [] };
  }

  /** `open` in the result is the end of the chain when it leaves the zone. */
  #follow(
    chain: readonly ResourceRecord[],
    target: string,
    type: number,
    depth: number,
  ): ZoneAnswer {
    if (!isSubdomain(this.origin, foldName(target)))
      return { kind: 'success', answers: chain, open: target };
    if (depth >= MAX_CHAIN) return { kind: 'success', answers: chain };
    const next = this.lookup(target, type, depth + 1);
    const answers = [...chain, ...next.answers];
    switch (next.kind) {
      case 'success':
        return { ...next, answers };
      // The end of the chain decides (RFC 6604 §3).
      case 'nameError':
        return { kind: 'nameError', answers };
      case 'noData':
      case 'delegation':
        return { kind: 'success', answers };
    }
  }

  /** The highest DNAME above the name or NS on the way to it, below the apex; DS is answered above a cut. */
  #cutAbove(folded: string, type: number): Cut | undefined {
    const names: string[] = [];
    for (
      let name: string | undefined = folded;
      name !== undefined && isSubdomain(this.origin, name);
      name = parentOf(name)
    )
      names.unshift(name);
    for (const name of names) {
      const node = this.#nodes.get(name) ?? [];
      const dname = node.find((entry) => entry.type === RecordType.DNAME);
      if (dname !== undefined && name !== folded) return { kind: 'dname', dname };
      if (name === this.origin || (name === folded && type === RecordType.DS)) continue;
      const servers = node.filter((entry) => entry.type === RecordType.NS);
      if (servers.length > 0) return { kind: 'delegation', servers };
    }
    return undefined;
  }

  #referral(servers: readonly ResourceRecord[]): ZoneAnswer {
    const additionals = this.glueFor(servers);
    return { kind: 'delegation', answers: [], authorities: servers, additionals };
  }

  /** RFC 6672: everything below the owner of a DNAME is renamed. */
  #throughDname(name: string, dname: ResourceRecord, type: number, depth: number): ZoneAnswer {
    if (dname.data.kind !== 'name') return { kind: 'success', answers: [dname] };
    const prefix = name.slice(0, name.length - dname.name.length);
    const target = `${prefix}${dname.data.target}`;
    const data = { kind: 'name', target } as const;
    const cname: ResourceRecord = { ...dname, name, type: RecordType.CNAME, data };
    return this.#follow([dname, cname], target, type, depth);
  }

  /** RFC 4592: only below the closest name that exists. */
  #wildcardFor(folded: string): readonly ResourceRecord[] | undefined {
    for (
      let above = parentOf(folded);
      above !== undefined && isSubdomain(this.origin, above);
      above = parentOf(above)
    )
      if (this.#nodes.has(above)) return this.#nodes.get(`*.${above}`);
    return undefined;
  }
}

function isAddress({ type }: ResourceRecord): boolean {
  return type === RecordType.A || type === RecordType.AAAA;
}
