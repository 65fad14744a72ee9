/** Where kernel versions differ in what a client or `ipvsadm` can see. */
export interface KernelBehaviour {
  /**
   * What lc, wlc, lblc, lblcr and twos call a destination's load: 256 for an active connection plus one
   * for each inactive connection, or (since "ipvs: add totalconns for dest") for each connection.
   */
  readonly overhead: 'active-and-inactive' | 'active-and-total';
  /** An edit clears the overload flag when the upper threshold is raised or 0, or looks at the counters. */
  readonly thresholdEdit: 'clear-when-raised' | 're-evaluate';
  /** Whether making and ending persistence templates looks at the thresholds too. */
  readonly templatesMoveOverload: boolean;
  /** Which ports of a template that has become invalid turn into 65535. */
  readonly deadTemplatePorts: 'destination' | 'virtual-and-destination';
  /** lblc and lblcr do not remember more destination addresses than this; Infinity: no bound. */
  readonly cacheBound: number;
}

const CACHE_BOUND = 24_576;

/** Linux 7.3, and what podwire behaves like unless told otherwise. */
export const currentKernel: KernelBehaviour = {
  overhead: 'active-and-total',
  thresholdEdit: 're-evaluate',
  templatesMoveOverload: false,
  deadTemplatePorts: 'destination',
  cacheBound: CACHE_BOUND,
};

/** First patch release of a long-term series with a change; later series have it, earlier ones do not. */
const TOTALCONNS_SINCE: Readonly<Record<string, number>> = { '6.1': 183, '6.12': 104 };
const CACHE_BOUND_SINCE: Readonly<Record<string, number>> = { '6.1': 191, '6.12': 113, '7.2': 10 };

/**
 * The behaviour of a Linux release such as `6.12.101`. Series between the long-term ones are told apart
 * by their major number only. Undefined when the text holds no version.
 */
export function kernelBehaviour(version: string): KernelBehaviour | undefined {
  const match = /(\d+)\.(\d+)(?:\.(\d+))?/.exec(version);
  if (match === null) return undefined;
  const major = Number(match[1]);
  const series = `${major}.${match[2]}`;
  const patch = Number(match[3] ?? 0);
  const has = (since: Readonly<Record<string, number>>): boolean =>
    patch >= (since[series] ?? (major >= 7 ? 0 : Infinity));
  const countsTotal = has(TOTALCONNS_SINCE);
  return {
    overhead: countsTotal ? 'active-and-total' : 'active-and-inactive',
    thresholdEdit: countsTotal ? 're-evaluate' : 'clear-when-raised',
    templatesMoveOverload: !countsTotal,
    deadTemplatePorts: major >= 7 ? 'destination' : 'virtual-and-destination',
    cacheBound: has(CACHE_BOUND_SINCE) ? CACHE_BOUND : Infinity,
  };
}
