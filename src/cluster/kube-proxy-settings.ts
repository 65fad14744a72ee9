import { errorMessage } from '../base/errors.ts';
import type { NodeProxyOptions } from '../node/node-proxy.ts';
import { FlagError, parseProxyMode, parseSchedulerFlag } from '../node/proxy-flags.ts';
import type { Refuse } from './settings-draft.ts';

/** What kube-proxy is given besides the mode of the whole cluster. */
export interface KubeProxyInput {
  /** --ipvs-scheduler, with the scheduler's flags behind it: `sh,sh-port`. */
  readonly ipvsScheduler?: string;
  /** The mode of single nodes, by their names. */
  readonly nodeModes?: Readonly<Record<string, string>>;
}

export interface KubeProxySettings {
  readonly ipvsScheduler: NonNullable<NodeProxyOptions['ipvsScheduler']>;
  readonly nodeModes: ReadonlyMap<string, NodeProxyOptions['mode']>;
}

const DEFAULT_SCHEDULER = 'rr';

/** Undefined when something was refused. `nodes` is how many there are, `node-1` and so on. */
export function resolveKubeProxy(
  input: KubeProxyInput,
  nodes: number,
  refuse: Refuse,
): KubeProxySettings | undefined {
  const checked = <T>(field: string, parse: () => T): T | undefined => {
    try {
      return parse();
    } catch (error) {
      if (!(error instanceof FlagError)) throw error;
      return refuse(`kubeProxy.${field}`, errorMessage(error).replace(/^--[\w-]+: /, ''));
    }
  };
  const scheduler = checked('ipvsScheduler', () =>
    parseSchedulerFlag(input.ipvsScheduler ?? DEFAULT_SCHEDULER),
  );
  const nodeModes = new Map<string, NodeProxyOptions['mode']>();
  for (const [name, text] of Object.entries(input.nodeModes ?? {})) {
    const field = `nodeModes.${name}`;
    const mode = checked(field, () => parseProxyMode(text));
    const number = /^node-([1-9]\d*)$/.exec(name)?.[1];
    if (number === undefined || Number(number) > nodes)
      refuse(`kubeProxy.${field}`, `there is no such node; they are node-1 to node-${nodes}`);
    else if (mode !== undefined) nodeModes.set(name, mode);
  }
  const complete = nodeModes.size === Object.keys(input.nodeModes ?? {}).length;
  return scheduler === undefined || !complete ? undefined : { ipvsScheduler: scheduler, nodeModes };
}
