import type { BackendRecord, Found } from '../../backend/backend.ts';
import { joinName } from '../../message/name.ts';
import type { ExternalService, ExternalSource } from '../../plugin/setup.ts';
import type { KubernetesView } from './kubernetes-view.ts';
import type { AddressView, PortView, ServiceView } from './service-view.ts';

interface ExternalName {
  readonly namespace: string;
  readonly service?: string;
  readonly endpoint?: string;
  readonly port?: string;
  readonly protocol?: string;
}

/** Services by their external addresses, for k8s_external (plugin/kubernetes/external.go). */
export class ExternalLookup implements ExternalSource {
  readonly #view: KubernetesView;
  readonly #ttlSeconds: number;
  readonly #isSynced: () => boolean;

  constructor(view: KubernetesView, ttlSeconds: number, isSynced: () => boolean) {
    this.#view = view;
    this.#ttlSeconds = ttlSeconds;
    this.#isSynced = isSynced;
  }

  get synced(): boolean {
    return this.#isSynced();
  }

  get serial(): number {
    return this.#view.externalSerial;
  }

  find(labels: readonly string[], zone: string, options: { readonly headless: boolean }): Found {
    const name = parseExternalName(labels);
    if (name === undefined || !this.#view.namespaceExposed(name.namespace)) return undefined;
    if (name.service === undefined) return [];
    const service = this.#view.services.get(name.namespace, name.service);
    if (service === undefined) return undefined;
    const base = joinName(`${service.name}.${service.namespace}`, zone);
    const headless = options.headless && service.external.length === 0;
    const records =
      headless && (service.kind === 'headless' || name.endpoint !== undefined)
        ? this.#endpointRecords(service, name, base)
        : service.external.flatMap((host) =>
            matchingPorts(name, service.ports).map(({ port }) => this.#record(base, host, port)),
          );
    return records.length === 0 ? undefined : records;
  }

  services(options: { readonly headless: boolean }): ExternalService[] {
    return this.#view.services
      .all()
      .filter(({ namespace }) => this.#view.namespaceExposed(namespace))
      .filter(
        ({ kind, external }) => external.length > 0 || (options.headless && kind === 'headless'),
      )
      .map(({ name, namespace, ports }) => ({
        labels: [name, namespace],
        ports: ports
          .filter((port) => port.name !== '')
          .map((port) => [`_${port.name}`, `_${port.protocol}`]),
      }));
  }

  findReverse(address: string, zone: string, options: { readonly headless: boolean }): Found {
    const names = this.#view.services
      .all()
      .filter(({ external }) => external.includes(address))
      .filter(({ namespace }) => this.#view.namespaceExposed(namespace))
      .map(({ name, namespace }) => joinName(`${name}.${namespace}`, zone));
    if (options.headless)
      for (const slice of this.#view.services.slicesWithIp(address))
        if (this.#view.namespaceExposed(slice.namespace))
          for (const { ip, label } of slice.addresses)
            if (ip === address)
              names.push(joinName(`${label}.${slice.service}.${slice.namespace}`, zone));
    return names.length === 0 ? undefined : names.map((name) => this.#record(name, name, 0));
  }

  #endpointRecords(service: ServiceView, name: ExternalName, base: string): BackendRecord[] {
    const wanted = ({ label }: AddressView): boolean =>
      name.endpoint === undefined || label.toLowerCase() === name.endpoint;
    return this.#view.services
      .slicesOf(service.namespace, service.name)
      .flatMap((slice) =>
        slice.addresses
          .filter(wanted)
          .flatMap(({ ip, label }) =>
            matchingPorts(name, slice.ports).map(({ port }) =>
              this.#record(`${label}.${base}`, ip, port),
            ),
          ),
      );
  }

  #record(name: string, host: string, port: number): BackendRecord {
    return { name, host, port, priority: 0, weight: 0, ttlSeconds: this.#ttlSeconds };
  }
}

/** `[[_PORT._PROTO.|ENDPOINT.]SERVICE.]NAMESPACE`. */
function parseExternalName(labels: readonly string[]): ExternalName | undefined {
  const rest = [...labels];
  const namespace = rest.pop();
  const service = rest.pop();
  if (namespace === undefined) return undefined;
  if (service === undefined) return { namespace };
  const bare = rest.map((label) => label.replace(/^_/, ''));
  const [first, second, third] = bare;
  if (third !== undefined) return undefined;
  if (first === undefined) return { namespace, service };
  if (second === undefined) return { namespace, service, endpoint: first };
  return { namespace, service, port: first, protocol: second };
}

function matchingPorts(name: ExternalName, ports: readonly PortView[]): readonly PortView[] {
  if (name.port === undefined) return ports;
  return ports.filter((port) => port.name === name.port && port.protocol === name.protocol);
}
