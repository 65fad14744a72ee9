import type { DnsKind, DnsObjects, DnsSink, DnsSource } from './dns-source.ts';

type AnySink = DnsSink<DnsObjects[DnsKind]>;

interface KindState {
  readonly objects: Map<string, DnsObjects[DnsKind]>;
  readonly sinks: Set<AnySink>;
}

/** Objects held in memory: for manifests, tests and simulations. */
export class MemoryDnsSource implements DnsSource {
  readonly #kinds: Record<DnsKind, KindState> = {
    services: emptyState(),
    endpointslices: emptyState(),
    namespaces: emptyState(),
    pods: emptyState(),
    serviceimports: emptyState(),
  };
  #synced: boolean;

  /** Starts unsynced when told so, as before an API server has answered; see {@link markSynced}. */
  constructor(options: { readonly synced?: boolean } = {}) {
    this.#synced = options.synced ?? true;
  }

  set<K extends DnsKind>(kind: K, object: DnsObjects[K]): void {
    const { objects, sinks } = this.#kinds[kind];
    objects.set(keyOf(object), object);
    for (const sink of sinks) sink.set(object);
  }

  /** False when there was no such object. */
  delete(kind: DnsKind, name: string, namespace?: string): boolean {
    const { objects, sinks } = this.#kinds[kind];
    const key = `${namespace ?? ''}/${name}`;
    const object = objects.get(key);
    if (object === undefined) return false;
    objects.delete(key);
    for (const sink of sinks) sink.delete(object);
    return true;
  }

  list<K extends DnsKind>(kind: K): DnsObjects[K][] {
    return [...this.#kinds[kind].objects.values()] as DnsObjects[K][];
  }

  markSynced(): void {
    if (this.#synced) return;
    this.#synced = true;
    for (const { sinks } of Object.values(this.#kinds)) for (const sink of sinks) sink.synced();
  }

  watch<K extends DnsKind>(kind: K, sink: DnsSink<DnsObjects[K]>): { stop(): void } {
    const { objects, sinks } = this.#kinds[kind];
    const anySink = sink as AnySink;
    for (const object of objects.values()) anySink.set(object);
    sinks.add(anySink);
    if (this.#synced) sink.synced();
    return { stop: () => void sinks.delete(anySink) };
  }
}

function emptyState(): KindState {
  return { objects: new Map(), sinks: new Set() };
}

function keyOf(object: DnsObjects[DnsKind]): string {
  return `${object.metadata.namespace ?? ''}/${object.metadata.name ?? ''}`;
}
