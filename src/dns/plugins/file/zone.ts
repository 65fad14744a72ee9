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
    const cut = this.#delegationFor(folded, type);
    if (cut !== undefined) return this.#referral(cut);
    const node = this.#nodes.get(folded);
    if (node !== undefined) return this.#fromNode(name, type, node, depth);
    const synthesised = this.#throughDname(name, folded, type, depth);
    if (synthesised !== undefined) return synthesised;
    const wildcard = this.#wildcardFor(folded);
    if (wildcard !== undefined) return this.#fromNode(name, type, wildcard, depth);
    return { kind: 'nameError', answers: [] };
  }

  /** Addresses of names in the zone, for the additional section. */
  glueFor(records: readonly ResourceRecord[]): ResourceRecord[] {
    const targets = records.flatMap(({ data }) => {
      if (data.kind === 'srv' || data.kind === 'name') return data.target;
      return data.kind === 'mx' ? data.exchange : [];
    });
    return [...new Set(targets.map((target) => foldName(target)))].flatMap((target) =>
      (this.#nodes.get(target) ?? []).filter(isAddress),
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
    if (next.kind === 'success')
      return { kind: 'success', answers, ...(next.open === undefined ? {} : { open: next.open }) };
    return { kind: 'success', answers };
  }

  /** The highest NS below the apex on the way to the name; DS is answered above the cut. */
  #delegationFor(folded: string, type: number): ResourceRecord[] | undefined {
    const names: string[] = [];
    for (
      let name: string | undefined = folded;
      name !== undefined && name !== this.origin && isSubdomain(this.origin, name);
      name = parentOf(name)
    )
      names.unshift(name);
    for (const name of names) {
      if (name === folded && type === RecordType.DS) continue;
      const servers = this.#nodes.get(name)?.filter((entry) => entry.type === RecordType.NS) ?? [];
      if (servers.length > 0) return servers;
    }
    return undefined;
  }

  #referral(servers: readonly ResourceRecord[]): ZoneAnswer {
    const additionals = this.glueFor(servers);
    return { kind: 'delegation', answers: [], authorities: servers, additionals };
  }

  /** RFC 6672: everything below the owner of a DNAME is renamed. */
  #throughDname(name: string, folded: string, type: number, depth: number): ZoneAnswer | undefined {
    for (
      let above = parentOf(folded);
      above !== undefined && isSubdomain(this.origin, above);
      above = parentOf(above)
    ) {
      const dname = this.#nodes.get(above)?.find((entry) => entry.type === RecordType.DNAME);
      if (dname?.data.kind !== 'name') continue;
      const prefix = name.slice(0, name.length - above.length);
      const target = `${prefix}${dname.data.target}`;
      const cname: ResourceRecord = {
        ...dname,
        name,
        type: RecordType.CNAME,
        data: { kind: 'name', target },
      };
      return this.#follow([dname, cname], target, type, depth);
    }
    return undefined;
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
