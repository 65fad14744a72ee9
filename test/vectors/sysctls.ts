// The kernel's settings that a trace starts with or changes on the way.
import { defaultSysctls, type IpvsSysctls } from '../../src/proxy/ipvs/sysctls.ts';
import type { TraceEvent } from './trace.ts';

/**
 * Settings that change nothing of what a trace shows: masquerading and connection tracking are as recorded anyway, and
 * there is neither ICMP of clients, nor a backup director, nor a rate.
 */
const INERT_SYSCTLS =
  'conntrack snat_reroute debug_level am_droprate amemthresh pmtu_disc nat_icmp_send schedule_icmp ignore_tunneled ' +
  'run_estimation est_nice sync_threshold sync_refresh_period sync_retries sync_ports sync_qlen_max';
/** Names may be paths such as net.ipv4.vs.conn_reuse_mode. Throws for what the core does not have. */
export function knownSysctls(values: Readonly<Record<string, unknown>>): Partial<IpvsSysctls> {
  const known: Partial<IpvsSysctls> = {};
  for (const [path, value] of Object.entries(values)) {
    const name = path.split(/[./]/).at(-1) ?? '';
    if (isSysctl(name)) known[name] = Number(value);
    // What is switched off by default may be switched off.
    else if (!INERT_SYSCTLS.split(' ').includes(name) && Number(value) !== 0)
      throw new Error(`unknown sysctl "${path}": the core has no such setting`);
  }
  return known;
}

/** What else stands in a sysctl event. */
const NOT_SETTINGS = ['op', 'note', 'comment', 'result', 'error', 'name', 'key', 'value', 'sysctl'];

/** `{op, NAME: value}`, `{op, sysctls: {NAME: value}}` or `{op, name: NAME, value}`. */
export function eventSysctls(event: TraceEvent): Partial<IpvsSysctls> {
  const fields = event as unknown as Record<string, unknown>;
  const { name, key, value, sysctl } = fields;
  const named = name ?? key ?? (typeof sysctl === 'string' ? sysctl : undefined);
  const pair = typeof named === 'string' ? { [named]: value } : {};
  const scalars = Object.entries(fields).filter(
    ([field, held]) => !NOT_SETTINGS.includes(field) && typeof held !== 'object',
  );
  const all: Record<string, unknown> = Object.assign(
    { ...Object.fromEntries(scalars), ...pair },
    ...nestedObjects(event),
  );
  if (Object.keys(all).length === 0) throw new Error('a sysctl event names no setting');
  return knownSysctls(all);
}

/** Settings may stand in the event or in an object of it. */
export function nestedObjects(event: TraceEvent): object[] {
  const { dests: _, ...fields } = event;
  return Object.values(fields).filter(
    (value): value is object =>
      typeof value === 'object' && value !== null && !Array.isArray(value),
  );
}

function isSysctl(name: string): name is keyof IpvsSysctls {
  return Object.hasOwn(defaultSysctls, name);
}
