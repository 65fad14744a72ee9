import { isSchedulerName, type SchedulerName, schedulers } from '../ipvs/schedulers/registry.ts';
import type { SchedulerFlags } from '../ipvs/schedulers/scheduler.ts';

export interface IpvsSchedulerSetting {
  readonly scheduler: SchedulerName;
  readonly flags: SchedulerFlags;
}

export type ParsedScheduler =
  | { readonly kind: 'ok'; readonly setting: IpvsSchedulerSetting }
  | { readonly kind: 'invalid'; readonly problem: string };

export const DEFAULT_SCHEDULER: IpvsSchedulerSetting = {
  scheduler: 'rr',
  flags: { fallback: false, port: false },
};

/**
 * A scheduler as `--ipvs-scheduler` and the annotation podwire.io/ipvs-scheduler name it: `wlc`, or with the
 * flags of `ipvsadm -b` behind it, `sh,sh-port,sh-fallback`. Plain `mh` hashes the port too, as kube-proxy
 * sets it up; name a flag of your own to decide that yourself.
 */
export function parseIpvsScheduler(text: string): ParsedScheduler {
  const [name = '', ...flags] = text.split(',').map((part) => part.trim());
  if (!isSchedulerName(name))
    return invalid(
      `scheduler "${name}" is unknown; use one of ${Object.keys(schedulers).join(' ')}`,
    );
  const hashes = name === 'sh' || name === 'mh';
  const known = hashes ? [`${name}-port`, `${name}-fallback`] : [];
  const unknown = flags.find((flag) => !known.includes(flag));
  if (unknown !== undefined)
    return invalid(
      hashes
        ? `flag "${unknown}" is unknown; ${name} takes ${known.join(' and ')}`
        : `flag "${unknown}" is unknown; ${name} takes none`,
    );
  const port = flags.includes(`${name}-port`) || (name === 'mh' && flags.length === 0);
  const fallback = flags.includes(`${name}-fallback`);
  return { kind: 'ok', setting: { scheduler: name, flags: { fallback, port } } };
}

function invalid(problem: string): ParsedScheduler {
  return { kind: 'invalid', problem };
}
