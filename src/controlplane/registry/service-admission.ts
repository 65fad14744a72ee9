import { formatIp, parseIp } from '../../base/ip.ts';
import type { KubeObject } from '../../api/types/meta.ts';
import type { Service, ServiceSpec } from '../../api/types/core.ts';
import { describeNodePortRefusal, type NodePortAllocator } from '../../ipam/node-ports.ts';
import { describeServiceIpRefusal, type ServiceIpAllocator } from '../../ipam/service-ips.ts';
import type { Admission, AdmissionContext } from './admission.ts';

const HEADLESS = 'None';

/** Gives Services their clusterIP, node ports and health check port, and takes them back. */
export class ServiceAdmission implements Admission {
  readonly #addresses: ServiceIpAllocator;
  readonly #ports: NodePortAllocator;

  constructor(addresses: ServiceIpAllocator, ports: NodePortAllocator) {
    this.#addresses = addresses;
    this.#ports = ports;
  }

  /** After a restart: what the stored Services say is what is taken. */
  restore(services: readonly KubeObject[]): void {
    for (const object of services) {
      const { spec } = object as Service;
      const address = clusterAddress(spec);
      if (address !== undefined) this.#addresses.claim(address, holderOf(object));
      for (const port of heldPorts(spec)) this.#ports.claim(port, holderOf(object));
    }
  }

  create(draft: KubeObject, context: AdmissionContext): void {
    this.#allocate(draft as Service, undefined, context);
  }

  update(draft: KubeObject, old: KubeObject, context: AdmissionContext): void {
    this.#allocate(draft as Service, old as Service, context);
  }

  removed(object: KubeObject): void {
    const { spec } = object as Service;
    const address = clusterAddress(spec);
    if (address !== undefined) this.#addresses.release(address, holderOf(object));
    for (const port of heldPorts(spec)) this.#ports.release(port, holderOf(object));
  }

  #allocate(service: Service, old: Service | undefined, context: AdmissionContext): void {
    this.#allocateAddress(service, old, context);
    this.#allocatePorts(service, old, context);
  }

  #allocateAddress(service: Service, old: Service | undefined, context: AdmissionContext): void {
    const { spec } = service;
    const holder = holderOf(service);
    const held = old === undefined ? undefined : clusterAddress(old.spec);
    if (spec.type === 'ExternalName') {
      if (held !== undefined) this.#addresses.release(held, holder, context.transaction);
      return;
    }
    spec.ipFamilies ??= ['IPv4'];
    spec.ipFamilyPolicy ??= 'SingleStack';
    if (spec.clusterIP === HEADLESS) {
      spec.clusterIPs = [HEADLESS];
      return;
    }
    const wanted = clusterAddress(spec);
    if (wanted !== undefined && held !== undefined && formatIp(wanted) === formatIp(held)) return;
    const outcome =
      wanted === undefined
        ? this.#addresses.allocate(holder, context.transaction)
        : this.#addresses.claim(wanted, holder, context.transaction);
    if (outcome.kind === 'allocated') {
      spec.clusterIP = formatIp(outcome.address);
      spec.clusterIPs = [spec.clusterIP];
      return;
    }
    const text = spec.clusterIP ?? '';
    context.errors.invalid(
      'spec.clusterIPs',
      spec.clusterIPs ?? [],
      `failed to allocate IP ${text}: ${describeServiceIpRefusal(outcome)}`,
    );
  }

  #allocatePorts(service: Service, old: Service | undefined, context: AdmissionContext): void {
    const { spec } = service;
    const holder = holderOf(service);
    const held = old === undefined ? [] : portNumbers(old.spec);
    const wants = spec.type === 'NodePort' || spec.type === 'LoadBalancer';
    const outcome = this.#ports.assign(
      holder,
      wants
        ? (spec.ports ?? []).map(({ port, protocol = 'TCP', nodePort }) => ({
            port,
            protocol,
            nodePort,
          }))
        : [],
      context.transaction,
      { held, allocate: spec.type === 'NodePort' || spec.allocateLoadBalancerNodePorts !== false },
    );
    if (outcome.kind === 'refused') {
      context.errors.invalid(
        `spec.ports[${outcome.index}].nodePort`,
        spec.ports?.[outcome.index]?.nodePort ?? 0,
        describeNodePortRefusal(outcome.reason),
      );
      return;
    }
    for (const [index, nodePort] of outcome.nodePorts.entries()) {
      const port = spec.ports?.[index];
      if (port !== undefined && nodePort !== 0) port.nodePort = nodePort;
    }
    this.#allocateHealthPort(spec, old?.spec, holder, context);
  }

  #allocateHealthPort(
    spec: ServiceSpec,
    old: ServiceSpec | undefined,
    holder: string,
    context: AdmissionContext,
  ): void {
    const needs = spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local';
    const held = old?.healthCheckNodePort ?? 0;
    if (!needs) {
      delete spec.healthCheckNodePort;
      if (held !== 0) this.#ports.release(held, holder, context.transaction);
      return;
    }
    const wanted = spec.healthCheckNodePort ?? held;
    if (wanted !== 0 && wanted === held) {
      spec.healthCheckNodePort = held;
      return;
    }
    const outcome =
      wanted === 0
        ? this.#ports.allocate(holder, context.transaction)
        : this.#ports.claim(wanted, holder, context.transaction);
    if (outcome.kind === 'allocated') spec.healthCheckNodePort = outcome.port;
    else
      context.errors.invalid('spec.healthCheckNodePort', wanted, describeNodePortRefusal(outcome));
  }
}

function holderOf(object: KubeObject): string {
  return `${object.metadata.namespace}/${object.metadata.name}`;
}

function clusterAddress(spec: ServiceSpec): ReturnType<typeof parseIp> {
  const text = spec.clusterIP ?? '';
  return text === '' || text === HEADLESS ? undefined : parseIp(text);
}

function portNumbers(spec: ServiceSpec): number[] {
  return (spec.ports ?? []).map(({ nodePort = 0 }) => nodePort).filter((port) => port !== 0);
}

function heldPorts(spec: ServiceSpec): Set<number> {
  const health = spec.healthCheckNodePort ?? 0;
  return new Set([...portNumbers(spec), ...(health === 0 ? [] : [health])]);
}
