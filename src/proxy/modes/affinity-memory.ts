import type { ServicePort } from '../../services/routing-table.ts';

/** The clients that one endpoint remembers. */
export interface ClientMemory {
  /** True when `client` was sent here within the window. */
  has(client: string, nowMs: number, windowMs: number): boolean;
  /** Notes or renews `client`. */
  note(client: string, nowMs: number, windowMs: number): void;
}

/**
 * ClientIP affinity as rules keep it: one memory for each endpoint of a service port, shared by all its
 * frontends. A memory lives as long as rules name it: while its endpoint is in use and affinity is on.
 */
export class AffinityMemory {
  readonly #create: () => ClientMemory;
  readonly #byServicePort = new Map<string, Map<string, ClientMemory>>();

  constructor(create: () => ClientMemory) {
    this.#create = create;
  }

  find(servicePortKey: string, endpointKey: string): ClientMemory | undefined {
    return this.#byServicePort.get(servicePortKey)?.get(endpointKey);
  }

  of(servicePortKey: string, endpointKey: string): ClientMemory {
    const memories = this.#byServicePort.get(servicePortKey) ?? new Map<string, ClientMemory>();
    this.#byServicePort.set(servicePortKey, memories);
    const memory = memories.get(endpointKey) ?? this.#create();
    memories.set(endpointKey, memory);
    return memory;
  }

  /** A service port has changed, or is gone: forgets what no rule names any more. */
  prune(servicePortKey: string, servicePort: ServicePort | undefined): void {
    const memories = this.#byServicePort.get(servicePortKey);
    if (memories === undefined) return;
    if (servicePort === undefined || servicePort.info.affinityTimeoutSeconds === 0) {
      this.#byServicePort.delete(servicePortKey);
      return;
    }
    const { cluster, local } = servicePort.categories;
    const used = new Set([...cluster, ...local].map((endpoint) => endpoint.key));
    for (const endpointKey of memories.keys())
      if (!used.has(endpointKey)) memories.delete(endpointKey);
  }
}
