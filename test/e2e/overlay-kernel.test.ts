// A Linux kernel's vxlan device as a node of a running cluster, each in a network namespace of its own. The kernel
// joins with the commands that `podwire overlay join-commands` prints, as they are. Needs root and iproute2; single
// tests need the tools they name.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { NetworkNamespace, namespaceObstacle } from './network-namespace.ts';
import { MAIN } from './support/podwire.ts';

const obstacle = namespaceObstacle();
if (obstacle !== undefined) process.stderr.write(`overlay-kernel skipped: ${obstacle}\n`);

const SERVER = join(import.meta.dirname, 'processes/byte-server.py');
const NODE = '172.18.0.2';
const KERNEL_NODE = '172.18.0.3';
/** Against hanging only. */
const LONG = { timeout: 900_000 };
/** On a machine that stands still for a fifth of a second TCP sends again, which the capture then has. */
const STALLS = { retry: 3 };
const FILE_BYTES = 50 * 1024 * 1024;

/** As the addresses of a usual cluster are: the namespace takes all of them for its own. */
const NETWORKS = [
  ['--node-cidr', '172.18.0.0/16', '--lb-cidr', '172.18.255.0/24'],
  ['--pod-cidr', '10.244.0.0/16', '--service-cidr', '10.96.0.0/16'],
].flat();

/** A pod with an HTTP server on 8080 and, where there is one, an iperf3 server. */
function manifest(folder: string): string {
  const processPod = (name: string, command: string): string => `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, labels: { app: ${name} }, annotations: { podwire.io/runtime: process } }
spec: { containers: [{ name: main, image: none, command: [sh, -c, ${JSON.stringify(command)}] }] }`;
  const kernelService = `
apiVersion: v1
kind: Service
metadata: { name: kernel }
spec: { type: NodePort, ports: [{ port: 80, targetPort: 8080, nodePort: 30080 }] }`;
  const pods = [processPod('bytes', `exec python3 -u ${SERVER} $POD_IP 8080`)];
  if (has('iperf3')) pods.push(processPod('iperf', 'exec iperf3 -s -B $POD_IP'));
  const path = join(folder, 'manifest.yaml');
  writeFileSync(path, [...pods, kernelService].join('\n---'));
  return path;
}

function has(tool: string): boolean {
  return spawnSync(tool, ['--version']).error === undefined;
}

/** A cluster of one podwire node, and a kernel that has joined it, with a veth pair between them. */
class Pair {
  readonly podwire = new NetworkNamespace('podwire');
  readonly kernel = new NetworkNamespace('kernel');
  readonly folder: string = mkdtempSync(join(tmpdir(), 'podwire-kernel-'));
  /** An address in the subnet that the kernel was given. */
  kernelPod = '';
  readonly #kubeconfig: string = join(this.folder, 'kubeconfig');
  #children: ChildProcess[] = [];

  constructor() {
    this.podwire.run(`ip link add eth0 type veth peer name eth0 netns ${this.kernel.name}`);
    this.podwire.run(`ip address add ${NODE}/16 dev eth0 && ip link set eth0 up`);
    this.podwire.run('ip route add local 10.244.0.0/16 dev lo');
    this.podwire.run('ip route add local 10.96.0.0/16 dev lo');
    this.kernel.run(`ip address add ${KERNEL_NODE}/16 dev eth0 && ip link set eth0 up`);
  }

  /** Starts the cluster; the kernel joins, but for the command that turns its offloads off where they are to be on. */
  async start(offloads: 'on' | 'off', args: readonly string[] = []): Promise<void> {
    const up = ['up', '--nodes', '1', ...NETWORKS, '--underlay-mtu', '1500', ...args];
    const files = ['-f', manifest(this.folder), '--kubeconfig', this.#kubeconfig];
    await this.run(this.podwire, [process.execPath, MAIN, ...up, ...files], /Ctrl-C stops/);
    const printed = ['overlay', 'join-commands', 'kernel-1', '--address', KERNEL_NODE];
    for (const command of this.command(...printed)
      .trimEnd()
      .split('\n'))
      if (offloads === 'off' || !command.startsWith('ethtool')) this.kernel.run(command);
    this.kernelPod = this.#addressOfKernelPod();
    this.kernel.run(`ip address add ${this.kernelPod}/32 dev lo`);
  }

  /** Runs a podwire command beside the cluster; its output. */
  command(...args: readonly string[]): string {
    const where = `--kubeconfig ${this.#kubeconfig}`;
    return this.podwire.run(`${process.execPath} ${MAIN} ${args.join(' ')} ${where}`);
  }

  /** Starts a program in a namespace; resolves once its output says that it is ready. */
  async run(namespace: NetworkNamespace, command: string[], ready: RegExp): Promise<ChildProcess> {
    const child = spawn('ip', ['netns', 'exec', namespace.name, ...command], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#children.push(child);
    // Drained to the end: a server whose output nobody takes may die of it.
    let output = '';
    await new Promise<void>((found, ended) => {
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (chunk: Buffer) => {
          output += String(chunk);
          if (ready.test(output)) found();
        });
      child.once('exit', () => ended(new Error(`${command.join(' ')} ended: ${output}`)));
    });
    return child;
  }

  podIp(name: string): string {
    const pod = this.#api(`pods/${name}`);
    const ip = (JSON.parse(pod) as { status: { podIP?: string } }).status.podIP;
    if (ip === undefined) throw new Error(`pod ${name} has no address: ${pod}`);
    return ip;
  }

  /** A number of `podwire overlay status`. */
  counter(name: string): number {
    const status = this.command('overlay', 'status', 'node-1');
    return Number(new RegExp(`^${name} +(\\d+)`, 'm').exec(status)?.[1] ?? 0);
  }

  /** Gives the kernel's web server a Service: endpoints that nobody selects. */
  async serveFromKernel(): Promise<void> {
    writeFileSync(join(this.folder, 'index.html'), 'kernel pod\n');
    const web = ['python3', '-u', '-m', 'http.server', '8080', '--bind', this.kernelPod];
    await this.run(this.kernel, [...web, '--directory', this.folder], /Serving HTTP/);
    const endpoints = {
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata: { name: 'kernel' },
      subsets: [{ addresses: [{ ip: this.kernelPod }], ports: [{ port: 8080 }] }],
    };
    const path = join(this.folder, 'endpoints.json');
    writeFileSync(path, JSON.stringify(endpoints));
    this.#api('endpoints', `-H 'content-type: application/json' --data-binary @${path}`);
  }

  /** Asks the API server for something in the default namespace. */
  #api(path: string, options = ''): string {
    const kubeconfig = readFileSync(this.#kubeconfig, 'utf8');
    const field = (key: string): string => new RegExp(`${key}: (\\S+)`).exec(kubeconfig)?.[1] ?? '';
    const url = `${field('server')}/api/v1/namespaces/default/${path}`;
    return this.podwire.run(
      `curl -skf -H 'Authorization: Bearer ${field('token')}' ${options} ${url}`,
    );
  }

  #addressOfKernelPod(): string {
    const exec = `${MAIN} node exec --kubeconfig ${this.#kubeconfig} node-1`;
    const routes = this.podwire.run(`${process.execPath} ${exec} ip route`);
    const subnet = /^(10\.244\.\d+)\.0\/24 via/m.exec(routes)?.[1];
    if (subnet === undefined) throw new Error(`no route to the kernel: ${routes}`);
    return `${subnet}.9`;
  }

  async remove(): Promise<void> {
    for (const child of this.#children.toReversed()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    }
    this.kernel.remove();
    this.podwire.remove();
    rmSync(this.folder, { recursive: true });
  }
}

function sha256(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

/** Downloads and uploads 50 MB from the kernel's side and compares; megabits a second of each. */
function transfer(pair: Pair): { downMbps: number; upMbps: number } {
  const down = join(pair.folder, 'down');
  const up = join(pair.folder, 'up');
  const curl = 'curl -s --max-time 400 -w "%{speed_download} %{speed_upload}"';
  const url = `http://${pair.podIp('bytes')}:8080`;
  const speeds = pair.kernel.run(`${curl} -o ${down} ${url}/bytes/${FILE_BYTES}`);
  const block = Buffer.alloc(64 * 1024, 'All work and no play makes a dull data plane. ');
  const expected = Buffer.concat(Array.from({ length: FILE_BYTES / block.length }, () => block));
  writeFileSync(up, expected);
  expect(sha256(down)).toBe(sha256(up));
  const report = join(pair.folder, 'hash');
  const upSpeeds = pair.kernel.run(`${curl} -o ${report} --data-binary @${up} ${url}/`);
  expect(readFileSync(report, 'utf8')).toBe(sha256(up));
  const mbps = (text: string, index: number) => (Number(text.split(' ')[index]) * 8) / 1e6;
  return { downMbps: mbps(speeds, 0), upMbps: mbps(upSpeeds, 1) };
}

function note(text: string): void {
  process.stderr.write(`overlay-kernel: ${text}\n`);
}

describe.skipIf(obstacle !== undefined)('a kernel with default offloads', () => {
  let pair: Pair;
  let pod = '';

  beforeAll(async () => {
    pair = new Pair();
    await pair.start('on', ['--accept-partial-checksums']);
    pod = pair.podIp('bytes');
    await pair.serveFromKernel();
  });

  afterAll(() => pair.remove());

  test('ping, up to the MTU and in fragments beyond', () => {
    expect(pair.kernel.run(`ping -c 3 -i 0.2 -W 30 ${pod}`)).toContain(' 0% packet loss');
    expect(pair.kernel.run(`ping -c 1 -W 30 -M do -s 1422 ${pod}`)).toContain(' 0% packet loss');
    expect(pair.kernel.run(`ping -c 1 -W 30 -s 4000 ${pod}`)).toContain('4008 bytes from');
  });

  test('curl, and the pod sees the address of the kernel', () =>
    expect(pair.kernel.run(`curl -s --interface ${pair.kernelPod} http://${pod}:8080/`)).toBe(
      `${pair.kernelPod}\n`,
    ));

  test('ports without a server refuse at once, TCP and UDP', () => {
    const curl = ['netns', 'exec', pair.kernel.name, 'curl', '-s', `${pod}:81`];
    expect(spawnSync('ip', curl).status).toBe(7);
    const knock = [
      'import socket',
      's = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)',
      's.settimeout(60)',
      `s.connect(("${pod}", 81))`,
      's.send(b"anybody?")',
      's.recv(1)',
    ].join('; ');
    const udp = spawnSync('ip', ['netns', 'exec', pair.kernel.name, 'python3', '-c', knock], {
      encoding: 'utf8',
    });
    expect(udp.stderr).toContain('ConnectionRefusedError');
  });

  test(
    '50 MB each way, with partial checksums and frames above the MTU accepted and counted',
    LONG,
    () => {
      const rates = transfer(pair);
      const [partial, oversized] = [
        pair.counter('partial checksums'),
        pair.counter('above the MTU'),
      ];
      note(
        `offloads on: down ${rates.downMbps.toFixed(0)} Mb/s, up ${rates.upMbps.toFixed(0)} Mb/s, ` +
          `${partial} partial checksums, ${oversized} frames above the MTU`,
      );
      expect(partial).toBeGreaterThan(100);
      expect(oversized).toBeGreaterThan(10);
    },
  );

  test('a Service of podwire forwards to a web server of the kernel', () => {
    // The slice of the endpoints is mirrored a moment later.
    const retry = '--retry 60 --retry-delay 1 --retry-all-errors --max-time 10';
    expect(pair.podwire.run(`curl -s ${retry} http://${NODE}:30080/index.html`)).toBe(
      'kernel pod\n',
    );
  });

  test.skipIf(!has('iperf3'))('iperf3 in both directions', () => {
    const address = pair.podIp('iperf');
    const rate = (options: string): number => {
      const report = JSON.parse(pair.kernel.run(`iperf3 -J -t 3 ${options} -c ${address}`)) as {
        end: { sum_received: { bits_per_second: number } };
      };
      return report.end.sum_received.bits_per_second / 1e6;
    };
    const [up, down] = [rate(''), rate('-R')];
    note(`iperf3, offloads on: to podwire ${up.toFixed(0)} Mb/s, from it ${down.toFixed(0)} Mb/s`);
    expect(Math.min(up, down)).toBeGreaterThan(5);
  });

  test.skipIf(!has('nmap'))('nmap sees what it would see of a Linux host', () => {
    const scan = (kind: string) =>
      pair.kernel.run(`nmap -n -Pn ${kind} -p 8080,81 --host-timeout 60 ${pod}`);
    expect(scan('-sS')).toMatch(/81\/tcp\s+closed[\s\S]*8080\/tcp\s+open/);
    expect(scan('-sT')).toMatch(/81\/tcp\s+closed[\s\S]*8080\/tcp\s+open/);
    // An open port answers a segment without SYN, ACK and RST with nothing, a closed one with a reset.
    for (const kind of ['-sF', '-sX', '-sN'])
      expect(scan(kind)).toMatch(/81\/tcp\s+closed[\s\S]*8080\/tcp\s+open\|filtered/);
    expect(scan('-sA')).toMatch(/unfiltered/);
  });

  test.skipIf(!has('hping3'))('hping3 is answered as by a Linux host', () => {
    const flags = (options: string): string => {
      const ping = `hping3 -n -c 5 -i u200000 ${options} ${pod}`;
      const result = spawnSync('ip', ['netns', 'exec', pair.kernel.name, 'sh', '-c', ping], {
        encoding: 'utf8',
      });
      return /flags=(\w+)/.exec(result.stdout)?.[1] ?? 'silence';
    };
    const answers = [
      '-S -p 8080',
      '-S -p 81',
      '-A -p 8080',
      '-F -p 8080',
      '-S -F -p 8080',
      '-R -p 8080',
    ];
    expect(answers.map((options) => `${options}: ${flags(options)}`)).toEqual([
      '-S -p 8080: SA',
      '-S -p 81: RA',
      '-A -p 8080: R',
      '-F -p 8080: silence',
      '-S -F -p 8080: silence',
      '-R -p 8080: silence',
    ]);
  });
});

describe.skipIf(obstacle !== undefined)('a kernel with offloads off', () => {
  let pair: Pair;

  beforeAll(async () => {
    pair = new Pair();
    await pair.start('off');
  });

  afterEach(() => pair.kernel.run('nft flush ruleset 2>/dev/null || true'));
  afterAll(() => pair.remove());

  test('50 MB each way, every checksum whole and no frame above the MTU', LONG, () => {
    const rates = transfer(pair);
    note(
      `offloads off: down ${rates.downMbps.toFixed(0)} Mb/s, up ${rates.upMbps.toFixed(0)} Mb/s`,
    );
    const counters = ['partial checksums', 'above the MTU', 'tcp-bad-checksum'];
    expect(counters.map((name) => pair.counter(name))).toEqual([0, 0, 0]);
  });

  test.skipIf(!has('nft'))('50 MB each way through 2 % loss', LONG, () => {
    pair.kernel.run(
      [
        'nft add table inet loss',
        "nft 'add chain inet loss in { type filter hook input priority 0; }'",
        "nft 'add chain inet loss out { type filter hook output priority 0; }'",
        "nft 'add rule inet loss in udp dport 8472 numgen random mod 100 < 2 drop'",
        "nft 'add rule inet loss out udp dport 8472 numgen random mod 100 < 2 drop'",
      ].join(' && '),
    );
    const rates = transfer(pair);
    note(`2 % loss: down ${rates.downMbps.toFixed(0)} Mb/s, up ${rates.upMbps.toFixed(0)} Mb/s`);
    // A tenth of what a busy machine reaches; without fast recovery it would be less.
    expect(Math.min(rates.downMbps, rates.upMbps)).toBeGreaterThan(4);
  });

  test.skipIf(!has('tshark'))(
    'a capture decodes in tshark with nothing wrong in it',
    STALLS,
    async () => {
      const file = join(pair.folder, 'outer.pcapng');
      const capture = [
        'overlay',
        'capture',
        'node-1',
        '--kubeconfig',
        join(pair.folder, 'kubeconfig'),
      ];
      const piped = `${process.execPath} ${MAIN} ${capture.join(' ')} | tee ${file} | wc -c`;
      const child = await pair.run(pair.podwire, ['sh', '-c', `echo started; ${piped}`], /started/);
      const bytes = 2 * 1024 * 1024;
      const url = `http://${pair.podIp('bytes')}:8080`;
      const count = (filter: string): number => {
        const checks = ['-o', 'tcp.check_checksum:TRUE', '-o', 'ip.check_checksum:TRUE'];
        const args = ['-r', file, ...checks, '-Y', filter, '-T', 'fields', '-e', 'frame.number'];
        const { stdout } = spawnSync('tshark', args, { encoding: 'utf8' });
        return stdout.split('\n').filter((line) => line !== '').length;
      };
      // The capture has begun once a ping is in it.
      for (let tried = 0; tried < 60 && count('icmp') === 0; tried += 1)
        pair.kernel.run(`ping -c 1 -W 1 ${pair.podIp('bytes')}`);
      pair.kernel.run(`curl -s -o ${join(pair.folder, 'got')} ${url}/bytes/${bytes}`);
      // A capture comes through the API server: its end takes a moment.
      for (let tried = 0; tried < 60 && count('http.response.code == 200') === 0; tried += 1);
      pair.podwire.run(`pkill -INT -P ${child.pid} || true`);
      expect(count('vxlan.vni == 1')).toBeGreaterThan(bytes / 1400);
      expect(count('http.response.code == 200')).toBe(1);
      expect(count('_ws.malformed')).toBe(0);
      expect(count('tcp.checksum.status == 0 || ip.checksum.status == 0')).toBe(0);
      expect(count('tcp.analysis.retransmission || tcp.analysis.lost_segment')).toBe(0);
    },
  );

  test('the kernel leaves, and nothing of it stays', () => {
    const leave = pair.command('overlay', 'leave-commands', 'kernel-1');
    expect(leave).toBe('ip link del flannel.1\n');
    pair.kernel.run(leave);
    expect(pair.command('overlay', 'status', 'node-1')).not.toContain(KERNEL_NODE);
  });
});
