import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** A server under test, all with the same names. */
export interface DnsPeer {
  readonly name: string;
  /** How many of its processes may work at once. */
  readonly workers: number;
  readonly port: number;
  readonly processes: readonly ChildProcess[];
}

const MAIN = resolve(import.meta.dirname, '../../dist/cli/main.js');
const ZONE = 'svc.cluster.local';

/** What the servers answer, by name. */
export type BenchNames = ReadonlyMap<string, string>;

interface PeerPlan {
  readonly name: string;
  readonly workers: number;
  readonly program: string;
  readonly args: (folder: string, port: number, names: BenchNames) => string[];
}

const PLANS: readonly PeerPlan[] = [
  podwirePlan(1),
  podwirePlan(2),
  {
    name: 'knot',
    workers: 1,
    program: 'knotd',
    args: (folder, port, names) => {
      mkdirSync(join(folder, 'knot'), { recursive: true });
      const config = [
        'server:',
        `  listen: 127.0.0.1@${port}`,
        `  rundir: ${folder}/knot`,
        '  udp-workers: 1',
        '  tcp-workers: 1',
        'database:',
        `  storage: ${folder}/knot`,
        'zone:',
        `  - domain: ${ZONE}`,
        `    file: ${writeZone(folder, names)}`,
        '    journal-content: none',
      ].join('\n');
      writeFileSync(join(folder, 'knot.conf'), `${config}\n`);
      return ['-c', join(folder, 'knot.conf')];
    },
  },
  {
    name: 'bind9',
    workers: 1,
    program: 'named',
    args: (folder, port, names) => {
      const config = `options { directory "${folder}"; listen-on port ${port} { 127.0.0.1; }; listen-on-v6 { none; };
  recursion no; pid-file none; session-keyfile "${folder}/session.key"; dnssec-validation no; };
controls { };
zone "${ZONE}" { type primary; file "${writeZone(folder, names)}"; };
`;
      writeFileSync(join(folder, 'named.conf'), config);
      return ['-f', '-n', '1', '-c', join(folder, 'named.conf')];
    },
  },
  {
    name: 'dnsmasq',
    workers: 1,
    program: 'dnsmasq',
    args: (folder, port, names) => {
      const hosts = join(folder, 'hosts');
      writeFileSync(hosts, [...names].map(([name, address]) => `${address} ${name}\n`).join(''));
      const plain = [
        '--no-daemon',
        '--no-resolv',
        '--no-hosts',
        '--bind-interfaces',
        '--conf-file=/dev/null',
      ];
      const own = [`--addn-hosts=${hosts}`, '--listen-address=127.0.0.1', `--port=${port}`];
      return [
        ...plain,
        ...own,
        `--local=/${ZONE}/`,
        '--local-ttl=30',
        '--dns-forward-max=1000',
        '--user=root',
      ];
    },
  },
];

/** Starts what is installed; the others are named in `missing`. */
export function startPeers(
  folder: string,
  firstPort: number,
  names: BenchNames,
): { readonly peers: readonly DnsPeer[]; readonly missing: readonly string[] } {
  const peers: DnsPeer[] = [];
  const missing: string[] = [];
  for (const [index, plan] of PLANS.entries()) {
    if (!isInstalled(plan.program)) {
      missing.push(plan.name);
      continue;
    }
    const port = firstPort + index;
    const [program, ...args] = pinned(plan.workers === 1 ? 0 : undefined, [
      plan.program,
      ...plan.args(folder, port, names),
    ]);
    const child = spawn(program ?? '', args, { stdio: 'ignore' });
    peers.push({ name: plan.name, workers: plan.workers, port, processes: [child] });
  }
  return { peers, missing };
}

/** Processor seconds a process and its children have used (proc(5), fields 14 and 15). */
export function cpuSeconds(pid: number): number {
  const ticks = [pid, ...childrenOf(pid)].reduce((sum, each) => sum + ticksOf(each), 0);
  return ticks / 100;
}

/** Resident memory of a process and its children, in MiB. */
export function residentMib(pid: number): number {
  return [pid, ...childrenOf(pid)].reduce((sum, each) => {
    const kib = /VmRSS:\s+(\d+)/.exec(readProc(each, 'status'))?.[1] ?? '0';
    return sum + Number(kib) / 1024;
  }, 0);
}

/** A command line kept on one processor, where taskset can do that. */
export function pinned(cpu: number | undefined, command: readonly string[]): string[] {
  const prefix = cpu === undefined || !isInstalled('taskset') ? [] : ['taskset', '-c', String(cpu)];
  return [...prefix, ...command];
}

export function isInstalled(program: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function podwirePlan(workers: number): PeerPlan {
  return {
    name: workers === 1 ? 'podwire' : `podwire x${workers}`,
    workers,
    program: process.execPath,
    args: (folder, port, names) => {
      const manifest = join(folder, 'services.yaml');
      writeFileSync(manifest, [...names].map(serviceText).join('---\n'));
      const corefile = join(folder, 'Corefile');
      writeFileSync(corefile, COREFILE);
      const files = ['--corefile', corefile, '-f', manifest];
      const rest = [
        '--listen',
        `127.0.0.1:${port}`,
        '--workers',
        String(workers),
        '--log-level',
        'warn',
      ];
      return [MAIN, 'dns', ...files, ...rest];
    },
  };
}

/** kubeadm's plugins that see every query. */
const COREFILE = `.:53 {
    errors
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
        ttl 30
    }
    prometheus 127.0.0.1:0
    cache 30 {
        disable success cluster.local
        disable denial cluster.local
    }
    loadbalance
}
`;

function serviceText([name, address]: readonly [string, string]): string {
  const [service = '', namespace = ''] = name.split('.');
  return `apiVersion: v1
kind: Service
metadata: { name: ${service}, namespace: ${namespace} }
spec: { clusterIP: ${address}, ports: [{ name: http, port: 80 }] }
`;
}

function writeZone(folder: string, names: BenchNames): string {
  const path = join(folder, 'zone');
  const head = `$ORIGIN ${ZONE}.\n$TTL 30\n@ SOA ns.dns hostmaster 1 7200 1800 86400 30\n@ NS ns.dns\nns.dns A 127.0.0.1\n`;
  writeFileSync(
    path,
    head + [...names].map(([name, address]) => `${name}. A ${address}\n`).join(''),
  );
  return path;
}

function ticksOf(pid: number): number {
  const fields = readProc(pid, 'stat')
    .replace(/^.*\) /, '')
    .split(' ');
  return Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
}

function childrenOf(pid: number): number[] {
  return readProc(pid, `task/${pid}/children`)
    .split(' ')
    .filter((text) => text.trim() !== '')
    .map(Number);
}

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}
