import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';

/** What a transfer cost: CPU of both ends, and how long it took. */
export interface Transfer {
  readonly bytes: number;
  readonly seconds: number;
  readonly senderCpuSeconds: number;
  readonly receiverCpuSeconds: number;
}

const NAMES = ['podwire-bench-a', 'podwire-bench-b'] as const;

/** Why this machine cannot; undefined when it can. */
export function kernelObstacle(): string | undefined {
  if (spawnSync('iperf3', ['--version']).error !== undefined) return 'iperf3 is not installed';
  const made = spawnSync('ip', ['netns', 'add', NAMES[0]]);
  if (made.status !== 0) return 'no permission for network namespaces';
  execFileSync('ip', ['netns', 'del', NAMES[0]]);
  return undefined;
}

/** The kernel's own vxlan between two network namespaces, static as flannel has it, with iperf3 across. */
export class KernelVxlan {
  readonly #server;

  private constructor(server: ReturnType<typeof spawn>) {
    this.#server = server;
  }

  /** `offloads` off: every inner segment is a frame of its own, as on a wire. */
  static async start(underlayMtu: number, offloads: 'on' | 'off'): Promise<KernelVxlan> {
    const [a, b] = NAMES;
    for (const name of NAMES) execFileSync('ip', ['netns', 'add', name]);
    inside(a, `ip link add eth0 type veth peer name eth0 netns ${b}`);
    for (const [index, name] of NAMES.entries()) {
      const [own, other] = [index + 1, 2 - index];
      // A veth goes to 65,535; the vxlan device on it to 50 less.
      const mtu = Math.min(underlayMtu, 65_535);
      for (const command of [
        'ip link set lo up',
        `ip address add 172.18.0.${own}/16 dev eth0`,
        `ip link set eth0 mtu ${mtu} up`,
        `ip link add flannel.1 address 02:00:00:00:00:0${own} type vxlan id 1 local 172.18.0.${own} dev eth0 dstport 8472 nolearning`,
        `ip address add 10.244.${own}.0/32 dev flannel.1`,
        `ip link set flannel.1 mtu ${mtu - 50} up`,
        `ip neighbour add 10.244.${other}.0 lladdr 02:00:00:00:00:0${other} dev flannel.1`,
        `bridge fdb add 02:00:00:00:00:0${other} dev flannel.1 dst 172.18.0.${other}`,
        `ip route add 10.244.${other}.0/24 via 10.244.${other}.0 dev flannel.1 onlink`,
        ...(offloads === 'on' ? [] : ['ethtool -K flannel.1 tx-checksum-ip-generic off']),
      ])
        inside(name, command);
    }
    const server = spawn('ip', ['netns', 'exec', b, 'iperf3', '-s', '--forceflush'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    await once(server.stdout, 'data');
    return new KernelVxlan(server);
  }

  transfer(flows: number, seconds: number): Transfer {
    const report = JSON.parse(
      inside(NAMES[0], `iperf3 -J -c 10.244.2.0 -P ${flows} -t ${seconds}`),
    ) as {
      readonly end: {
        readonly sum_received: { readonly bytes: number; readonly seconds: number };
        readonly cpu_utilization_percent: {
          readonly host_total: number;
          readonly remote_total: number;
        };
      };
    };
    const { sum_received: received, cpu_utilization_percent: cpu } = report.end;
    return {
      bytes: received.bytes,
      seconds: received.seconds,
      senderCpuSeconds: (cpu.host_total / 100) * received.seconds,
      receiverCpuSeconds: (cpu.remote_total / 100) * received.seconds,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exited = once(this.#server, 'exit');
    this.#server.kill();
    await exited;
    for (const name of NAMES) execFileSync('ip', ['netns', 'del', name]);
  }
}

function inside(name: string, command: string): string {
  return execFileSync('ip', ['netns', 'exec', name, 'sh', '-ec', command], { encoding: 'utf8' });
}
