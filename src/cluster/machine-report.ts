import {
  datagramRefusal,
  epollEngineRefusal,
  handleEngineRefusal,
  uringEngineRefusal,
} from '../node/engine-support.ts';

/** One thing that podwire can use, and whether this machine has it. */
export interface MachineFact {
  readonly name: string;
  /** `missing` costs something that the detail names; nothing here keeps podwire from running. */
  readonly state: 'ok' | 'missing' | 'info';
  readonly detail: string;
}

export interface MachineReads {
  /** A file's text; undefined when it cannot be read. */
  readonly read: (path: string) => string | undefined;
  readonly hasCommand: (name: string) => boolean;
  readonly kernel: string;
  readonly arch: string;
  /** Undefined: it works. */
  readonly epollRefusal: () => string | undefined;
  readonly handleRefusal: () => string | undefined;
  readonly uringRefusal: () => string | undefined;
  readonly datagramRefusal: () => string | undefined;
}

const FEW_DESCRIPTORS = 4096;
/** Each forwarded connection takes two. */
const DESCRIPTORS_A_CONNECTION = 2;
const TOOLS = {
  curl: 'try a Service',
  dig: 'ask the cluster DNS',
  kubectl: 'talk to the API server',
  wrk: 'bench/forward',
  haproxy: 'bench/forward compares with it',
  nginx: 'bench/forward needs it',
  wireshark: 'look at overlay captures',
} as const;

/** What `podwire doctor` shows, in order. */
export function machineReport(reads: MachineReads): readonly MachineFact[] {
  return [
    { name: 'kernel', state: 'info', detail: `${reads.kernel} on ${reads.arch}` },
    autoFact(reads),
    engineFact('uring', reads.uringRefusal(), 'koffi loads, io_uring is allowed', 'epoll'),
    engineFact(
      'epoll',
      reads.epollRefusal(),
      'koffi loads, epoll and eventfd are allowed',
      'handle',
    ),
    engineFact('handle', reads.handleRefusal(), "Node's TCP handles can be used", 'net'),
    datagramFact(reads),
    descriptorFact(reads),
    portsFact(reads),
    namespacesFact(reads),
    ...Object.entries(TOOLS).map(
      ([name, purpose]): MachineFact => ({
        name,
        state: reads.hasCommand(name) ? 'ok' : 'missing',
        detail: purpose,
      }),
    ),
  ];
}

/** The real machine's engine support, for callers that cannot see the proxy. */
export { datagramRefusal, epollEngineRefusal, handleEngineRefusal, uringEngineRefusal };

/** What `auto` takes, as createEngine has it. */
function autoFact({ epollRefusal, handleRefusal, uringRefusal }: MachineReads): MachineFact {
  const engines = [
    ['uring', uringRefusal],
    ['epoll', epollRefusal],
    ['handle', handleRefusal],
  ] as const;
  const [taken = 'net'] = engines.find(([, refusal]) => refusal() === undefined) ?? [];
  return { name: 'auto engine', state: 'info', detail: `is ${taken} here` };
}

/** `instead`: what does the same where it does not work. */
function engineFact(
  engine: string,
  refusal: string | undefined,
  works: string,
  instead: string,
): MachineFact {
  const name = `${engine} engine`;
  return refusal === undefined
    ? { name, state: 'ok', detail: works }
    : { name, state: 'missing', detail: `${refusal}; ${instead} does the same` };
}

function datagramFact(reads: MachineReads): MachineFact {
  const name = 'overlay UDP';
  const refusal = reads.datagramRefusal();
  return refusal === undefined
    ? { name, state: 'ok', detail: 'koffi loads, recvmmsg and sendmmsg are allowed' }
    : { name, state: 'missing', detail: `${refusal}; node:dgram does the same` };
}

function descriptorFact({ read }: MachineReads): MachineFact {
  const name = 'open files';
  const match = /^Max open files\s+(\S+)\s+(\S+)/m.exec(read('/proc/self/limits') ?? '');
  if (match === null) return { name, state: 'info', detail: 'the limit is not known here' };
  const [, soft = '', hard = ''] = match;
  const most = Math.floor(Number(soft) / DESCRIPTORS_A_CONNECTION);
  const room = Number.isNaN(most) ? 'no limit' : `about ${most} connections`;
  const few = Number(soft) < FEW_DESCRIPTORS;
  return {
    name,
    state: few ? 'missing' : 'ok',
    detail: `${soft} (hard limit ${hard}): ${room}${few ? '; raise it with ulimit -n' : ''}`,
  };
}

function portsFact({ read }: MachineReads): MachineFact {
  const sysctl = 'net.ipv4.ip_unprivileged_port_start';
  const first = read('/proc/sys/net/ipv4/ip_unprivileged_port_start')?.trim();
  if (first === undefined)
    return { name: 'low ports', state: 'info', detail: `${sysctl} is not known here` };
  const all = Number(first) <= 53;
  return {
    name: 'low ports',
    state: all ? 'ok' : 'missing',
    detail: all
      ? `${sysctl} is ${first}`
      : `${sysctl} is ${first}: without root, ports below are refused; sysctl -w ${sysctl}=0`,
  };
}

function namespacesFact({ read }: MachineReads): MachineFact {
  const name = 'user namespaces';
  if (read('/proc/sys/user/max_user_namespaces')?.trim() === '0')
    return { name, state: 'missing', detail: 'user.max_user_namespaces is 0' };
  if (read('/proc/sys/kernel/unprivileged_userns_clone')?.trim() === '0')
    return { name, state: 'missing', detail: 'kernel.unprivileged_userns_clone is 0' };
  if (read('/proc/sys/kernel/apparmor_restrict_unprivileged_userns')?.trim() === '1')
    return { name, state: 'missing', detail: 'restricted by AppArmor' };
  return read('/proc/sys/user/max_user_namespaces') === undefined
    ? { name, state: 'info', detail: 'not known here' }
    : { name, state: 'ok', detail: 'the native address plan can have one' };
}
