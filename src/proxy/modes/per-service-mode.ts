import { emptyRoutingTable } from '../../services/routing-state.ts';
import {
  type Frontend,
  nodePortKey,
  portKey,
  type RoutingTable,
  type ServicePort,
} from '../../services/routing-table.ts';
import type { ServicePortInfo } from '../../services/service-port-info.ts';
import type { Decision, Flow, Trace } from '../flow.ts';
import { familyOf } from '../node-context.ts';
import type { Odds, ProxyMode, ProxyModeName, Reach, Stance } from '../proxy-mode.ts';
import { parseIpvsScheduler } from './ipvs-scheduler-setting.ts';
import type { ModeOptions } from './mode-options.ts';
import { isProxyModeName, PROXY_MODES } from './mode-table.ts';

/**
 * The mode of one node, except for Services that ask for another by the annotation podwire.io/proxy-mode.
 * What is for no Service at all is left to the node's own mode. An annotation that names no mode is ignored;
 * {@link annotationProblem} tells.
 */
export class PerServiceMode implements ProxyMode {
  readonly name: ProxyModeName;
  readonly #options: ModeOptions;
  readonly #modes = new Map<ProxyModeName, ProxyMode>();
  readonly #default: ProxyMode;
  #table: RoutingTable = emptyRoutingTable({ nodeName: '', zone: '' });

  constructor(name: ProxyModeName, options: ModeOptions) {
    this.name = name;
    this.#options = options;
    this.#default = this.#create(name);
  }

  /** The part that runs as this mode, if any Service or the node wants it: for who inspects its state. */
  modeNamed(name: ProxyModeName): ProxyMode | undefined {
    return this.#modes.get(name);
  }

  /** The mode that a service port is balanced by. */
  nameOf({ info }: ServicePort): ProxyModeName {
    return isProxyModeName(info.proxyMode) ? info.proxyMode : this.name;
  }

  update(table: RoutingTable): void {
    const changes = [...this.#table.servicePorts.differences(table.servicePorts)];
    for (const { after } of changes) if (after !== undefined) this.#create(this.nameOf(after));
    for (const mode of this.#modes.values()) mode.update(table);
    this.#table = table;
  }

  decide(flow: Flow, trace?: Trace): Decision {
    return this.#modeFor(flow).decide(flow, trace);
  }

  reach(flow: Flow, trace?: Trace): Reach {
    return this.#modeFor(flow).reach(flow, trace);
  }

  odds(flow: Flow): Odds | undefined {
    return this.#modeFor(flow).odds(flow);
  }

  addresses(frontend: Frontend): readonly string[] {
    return this.#modeOf(frontend.servicePort).addresses(frontend);
  }

  stance(frontend: Frontend): Stance {
    return this.#modeOf(frontend.servicePort).stance(frontend);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#modes.values()].map((mode) => mode.close()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #modeFor(flow: Flow): ProxyMode {
    if (this.#modes.size === 1) return this.#default;
    const { address, port } = flow.destination;
    const frontend =
      this.#table.addresses.get(address)?.get(portKey(flow.protocol, port)) ??
      this.#table.nodePorts.get(nodePortKey(familyOf(address), flow.protocol, port));
    return frontend === undefined ? this.#default : this.#modeOf(frontend.servicePort);
  }

  #modeOf(servicePort: ServicePort): ProxyMode {
    return this.#modes.get(this.nameOf(servicePort)) ?? this.#default;
  }

  #create(name: ProxyModeName): ProxyMode {
    const known = this.#modes.get(name);
    if (known !== undefined) return known;
    const mode = PROXY_MODES[name]({
      ...this.#options,
      random: this.#options.random.fork(name),
      ipvs: { ...this.#options.ipvs, owns: (servicePort) => this.nameOf(servicePort) === 'ipvs' },
    });
    this.#modes.set(name, mode);
    return mode;
  }
}

/** What is wrong with a Service's podwire.io annotations, for an Event; undefined: nothing. */
export function annotationProblem(info: ServicePortInfo): string | undefined {
  if (info.proxyMode !== '' && !isProxyModeName(info.proxyMode))
    return `podwire.io/proxy-mode: "${info.proxyMode}" is no proxy mode; use one of ${Object.keys(PROXY_MODES).join(', ')}`;
  if (info.ipvsScheduler === '') return undefined;
  const parsed = parseIpvsScheduler(info.ipvsScheduler);
  return parsed.kind === 'ok' ? undefined : `podwire.io/ipvs-scheduler: ${parsed.problem}`;
}
