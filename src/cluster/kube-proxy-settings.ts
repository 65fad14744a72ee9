import { errorMessage } from '../base/errors.ts';
import type { NodeProxyOptions, RuleSettings } from '../node/node-proxy.ts';
import {
  FlagError,
  parseDetector,
  parseNodePortAddresses,
  parseProxyMode,
  parseSchedulerFlag,
} from '../node/proxy-flags.ts';
import type { Refuse } from './settings-draft.ts';

/** What kube-proxy is given besides the mode of the whole cluster, as `podwire explain flow` takes it. */
export interface KubeProxyInput {
  /** --ipvs-scheduler, with the scheduler's flags behind it: `sh,sh-port`. */
  readonly ipvsScheduler?: string;
  /** The mode of single nodes, by their names. */
  readonly nodeModes?: Readonly<Record<string, string>>;
  /** --masquerade-all */
  readonly masqueradeAll?: boolean;
  /** --nodeport-addresses: `primary`, `all` or blocks. */
  readonly nodePortAddresses?: string;
  /** --detect-local: `cluster-cidr`, `node-cidr`, `bridge-interface=cni0` …, or `none`. */
  readonly detectLocal?: string;
}

export interface KubeProxySettings {
  readonly ipvsScheduler: NonNullable<NodeProxyOptions['ipvsScheduler']>;
  readonly nodeModes: ReadonlyMap<string, NodeProxyOptions['mode']>;
  readonly rules: RuleSettings;
}

const DEFAULT_SCHEDULER = 'rr';

/** Undefined when something was refused. `nodes` is how many there are, `node-1` and so on. */
export function resolveKubeProxy(
  input: KubeProxyInput,
  nodes: number,
  refuse: Refuse,
): KubeProxySettings | undefined {
  let complete = true;
  const problem = (field: string, message: string): undefined => {
    complete = false;
    return refuse(`kubeProxy.${field}`, message);
  };
  const checked: Checked = (field, text, parse) => {
    if (text === undefined) return undefined;
    try {
      return parse(text);
    } catch (error) {
      if (!(error instanceof FlagError)) throw error;
      return problem(field, errorMessage(error).replace(/^--[\w-]+: /, ''));
    }
  };
  const ipvsScheduler = checked(
    'ipvsScheduler',
    input.ipvsScheduler ?? DEFAULT_SCHEDULER,
    parseSchedulerFlag,
  );
  const nodeModes = new Map<string, NodeProxyOptions['mode']>();
  for (const [name, text] of Object.entries(input.nodeModes ?? {})) {
    const field = `nodeModes.${name}`;
    const mode = checked(field, text, parseProxyMode);
    const number = /^node-([1-9]\d*)$/.exec(name)?.[1];
    if (number === undefined || Number(number) > nodes)
      problem(field, `there is no such node; they are node-1 to node-${nodes}`);
    else if (mode !== undefined) nodeModes.set(name, mode);
  }
  const rules = rulesOf(input, checked);
  return ipvsScheduler === undefined || !complete ? undefined : { ipvsScheduler, nodeModes, rules };
}

/** What `parse` makes of a text; undefined where there is none, or where it was refused. */
type Checked = <T>(
  field: string,
  text: string | undefined,
  parse: (text: string) => T,
) => T | undefined;

function rulesOf(input: KubeProxyInput, checked: Checked): RuleSettings {
  const nodePortAddresses = checked(
    'nodePortAddresses',
    input.nodePortAddresses,
    parseNodePortAddresses,
  );
  // Without blocks: those of the cluster, which is the default.
  const text = input.detectLocal === 'cluster-cidr' ? undefined : input.detectLocal;
  const detectLocal = checked('detectLocal', text, parseDetector);
  return {
    masqueradeAll: input.masqueradeAll ?? false,
    ...(nodePortAddresses === undefined ? {} : { nodePortAddresses }),
    ...(detectLocal === undefined ? {} : { detectLocal }),
  };
}
