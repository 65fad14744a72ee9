// A director with one service, for tests.
import { ManualClock } from '../../../src/base/clock.ts';
import { seededRandom } from '../../../src/base/random.ts';
import { Ipvs, type IpvsOptions } from '../../../src/proxy/ipvs/ipvs.ts';
import type { IpvsVerdict } from '../../../src/proxy/ipvs/ipvs-packet.ts';
import type { SchedulerName } from '../../../src/proxy/ipvs/schedulers/registry.ts';
import type { ServiceId, ServiceSettings } from '../../../src/proxy/ipvs/virtual-service.ts';

type AddressService = Extract<ServiceId, { kind: 'address' }>;

export const WEB: AddressService = {
  kind: 'address',
  protocol: 'TCP',
  address: '10.96.0.1',
  port: 80,
};
export const DNS: AddressService = {
  kind: 'address',
  protocol: 'UDP',
  address: '10.96.0.1',
  port: 53,
};

export interface TestDirector {
  readonly ipvs: Ipvs;
  readonly clock: ManualClock;
  /** A client's SYN or datagram; the answer is the destination's name or what else came of it. */
  readonly send: (source: string, to?: ServiceId) => string;
  readonly verdict: (source: string, to?: ServiceId) => IpvsVerdict;
  /** `[name, weight, active, inactive]` in list order. */
  readonly list: (of?: ServiceId) => (string | number)[][];
}

/** Adds one destination 10.2.0.N:8080 a weight, in order. */
export function director(
  scheduler: SchedulerName,
  weights: readonly number[],
  options: Partial<IpvsOptions> & {
    readonly service?: ServiceId;
    readonly settings?: Partial<ServiceSettings>;
  } = {},
): TestDirector {
  const { service = WEB, settings = {}, ...rest } = options;
  const clock = new ManualClock();
  const ipvs = new Ipvs({ clock, random: seededRandom('director'), ...rest });
  ipvs.addService(service, { scheduler, ...settings });
  for (const [index, weight] of weights.entries())
    ipvs.addDestination(service, backend(index + 1), { weight });

  const verdict = (source: string, to: ServiceId = service): IpvsVerdict => {
    const [address = '', port] = source.split(':');
    if (to.kind === 'fwmark') throw new Error('send to an address');
    return ipvs.schedule({
      protocol: to.protocol,
      source: { address, port: Number(port) },
      destination: { address: to.address, port: to.port },
      fwmark: service.kind === 'fwmark' ? service.fwmark : 0,
    });
  };
  return {
    ipvs,
    clock,
    verdict,
    send(source, to) {
      const outcome = verdict(source, to);
      if (outcome.kind !== 'forward') return outcome.kind;
      return `${outcome.destination.address}:${outcome.connection.destinationPort}`;
    },
    list: (of = service) =>
      (ipvs.service(of)?.destinations ?? []).map((one) => [
        one.name,
        one.weight,
        one.activeConnections,
        one.inactiveConnections,
      ]),
  };
}

export function backend(number: number): { address: string; port: number } {
  return { address: `10.2.0.${number}`, port: 8080 };
}
