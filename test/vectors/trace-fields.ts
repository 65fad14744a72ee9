// Which fields a trace may have: one that is not known could be an order to the kernel that a replay would leave out.
import type { Trace } from './trace.ts';

const TRACE = words(
  'id scheduler flags protocol service dests more_services sysctls environment list_after_setup events',
  'kernels real_kernel valid_for_kernels other_kernels random',
);
const SERVICE = words('addr fwmark protocol scheduler flags dests persistent netmask ops');
const DEST = words('dest weight u_threshold l_threshold');
const ENVIRONMENT = words('blackhole closed_ports conntrack_hooks');

/** What a recorder may say about a recording anywhere; it orders nothing. */
const REMARKS = words(
  'note notes comment comments description title source tool recorder recorded date version kernel seed see time took',
);

/** Of every event; `service` or its address tells which service it is about. */
const EVENT = words('op dests result error service addr fwmark protocol');
/** Of what administrators do. */
const EVENTS: Readonly<Record<string, readonly string[]>> = {
  wait: [...EVENT, 'seconds'],
  add: [...EVENT, ...DEST],
  remove: [...EVENT, ...DEST],
  weight: [...EVENT, ...DEST],
  timeouts: [...EVENT, ...words('tcp tcpfin udp')],
  'edit-service': [...EVENT, ...SERVICE, 'settings'],
};

/**
 * One line a field that a replay does not know, with its place. Of `sysctl` events the replay itself looks at every name;
 * what clients did is judged by its result, whatever else the recorder wrote down of it.
 */
export function unknownFields(trace: Trace): string[] {
  const problems: string[] = [];
  const check = (place: string, value: unknown, known: readonly string[]): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const name of Object.keys(value))
      if (!known.includes(name) && !REMARKS.includes(name))
        problems.push(`${place}: unknown field "${name}": a replay would leave it out`);
  };
  check('trace', trace, TRACE);
  check('environment', trace.environment, ENVIRONMENT);
  check('service', trace.service, SERVICE);
  for (const [index, service] of (trace.more_services ?? []).entries())
    check(`more_services[${index}]`, service, SERVICE);
  const services = [trace, trace.service, ...(trace.more_services ?? [])];
  for (const dest of services.flatMap(({ dests }) => dests ?? [])) check('dests', dest, DEST);
  const events = [trace.events, ...(trace.other_kernels ?? []).map((other) => other.events)];
  for (const [index, event] of events.flatMap((list) => [...list.entries()]))
    check(`event ${index}`, event, EVENTS[event.op] ?? Object.keys(event));
  return problems;
}

function words(...lines: readonly string[]): string[] {
  return lines.flatMap((line) => line.split(' '));
}
