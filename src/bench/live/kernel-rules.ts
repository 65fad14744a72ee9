import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { PodwireError } from '../../base/errors.ts';
import { nodeContext } from '../../proxy/node-context.ts';
import { iptablesRules } from '../../proxy/render/iptables-rules.ts';
import { renderIptablesSave } from '../../proxy/render/iptables-save.ts';
import { renderNftRuleset } from '../../proxy/render/nft-ruleset.ts';
import type { RoutingTable } from '../../services/routing-table.ts';
import { benchRoutingTable } from '../algorithms/bench-service.ts';
import { nodeAddress, SERVICE_ADDRESS, SERVICE_PORT } from '../scenario/network-plan.ts';
import type { Plan } from '../scenario/plan.ts';
import type { StartableContender } from './contender.ts';
import { findProgram } from './find-program.ts';
import type { ProxyUnderTest } from './proxy-under-test.ts';
import { KERNEL_PROGRAMS, type KernelPeerName } from './kernel-peers.ts';

/** A packet filter of the kernel, loaded with the rules that kube-proxy writes. */
interface KernelRules {
  readonly name: KernelPeerName;
  readonly arguments: readonly string[];
  render(table: RoutingTable): string;
}

const context = nodeContext({ nodeIPs: [nodeAddress(0)], loopback: [] });
/** Only stands in comments. */
const NO_DATE = new Date(0);

const KERNEL_RULES: readonly KernelRules[] = [
  {
    name: 'kernel-iptables',
    arguments: [],
    render: (table) => renderIptablesSave(iptablesRules(table, context), NO_DATE),
  },
  {
    name: 'kernel-nftables',
    arguments: ['-f', '-'],
    render: (table) => `flush ruleset\n${renderNftRuleset(table, context, ['IPv4'])}`,
  },
];

/**
 * The contender called `name`. Only for a process in a namespace that was made for it: starting it replaces the
 * rules of the network namespace it is in. Undefined for other names.
 */
export function kernelContender(name: string): StartableContender | undefined {
  const rules = KERNEL_RULES.find((candidate) => candidate.name === name);
  if (rules === undefined) return undefined;
  return { name, family: 'peer', start: async ({ plan }) => startRules(rules, plan) };
}

/** In this process's network namespace, whose rules are replaced. */
function startRules(rules: KernelRules, { scenario }: Plan): ProxyUnderTest {
  const service = {
    node: 0,
    protocol: scenario.protocol === 'UDP' ? ('UDP' as const) : ('TCP' as const),
    ...(scenario.affinitySeconds === undefined
      ? {}
      : { affinitySeconds: scenario.affinitySeconds }),
  };
  return {
    entries: [{ address: SERVICE_ADDRESS, port: SERVICE_PORT }],
    // The kernel forwards in the time of whoever sends.
    cpuMs: () => undefined,
    slip: async () => undefined,
    update: ([eligible = []]) => load(rules, rules.render(benchRoutingTable(service, eligible))),
    // They go with the namespace.
    async [Symbol.asyncDispose]() {},
  };
}

async function load(rules: KernelRules, text: string): Promise<void> {
  const name = KERNEL_PROGRAMS[rules.name];
  const program = findProgram(name) ?? name;
  const child = spawn(program, rules.arguments, { stdio: ['pipe', 'ignore', 'pipe'] });
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (part: string) => (complaint += part));
  child.stdin.end(text);
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0)
    throw new PodwireError('ERR_BENCH_LIVE', `${program} refused rules: ${complaint.trim()}`);
}
