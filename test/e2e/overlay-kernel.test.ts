// A Linux kernel's vxlan device as a node beside a podwire node, each in a network namespace of its own. The kernel
// joins with the commands that podwire prints. Needs root and iproute2; single tests need the tools they name.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { VxlanConf } from '../../src/overlay/backend-conf.ts';
import { joinCommands } from '../../src/overlay/join-commands.ts';
import type { NetConf } from '../../src/overlay/net-conf.ts';
import { lease, netConf } from '../overlay/leases.ts';
import { NetworkNamespace, namespaceObstacle } from './network-namespace.ts';

const obstacle = namespaceObstacle();
if (obstacle !== undefined) process.stderr.write(`overlay-kernel skipped: ${obstacle}\n`);

const PEER = resolve(import.meta.dirname, 'processes/overlay-peer.ts');
const POD = '10.244.1.5';
const KERNEL_POD = '10.244.2.1';
const FILE_BYTES = 50 * 1024 * 1024;

interface Counters {
  readonly device: { readonly partialChecksums: number; readonly oversized: number };
  readonly drops: Readonly<Record<string, number>>;
}

function has(tool: string): boolean {
  return spawnSync(tool, ['--version']).error === undefined;
}

function vxlanConf(): NetConf & { backend: VxlanConf } {
  const conf = netConf({ Backend: { Type: 'vxlan' } });
  if (conf.backend.type !== 'vxlan') throw new Error('not vxlan');
  return { ...conf, backend: conf.backend };
}

/** A podwire node and a kernel node, a veth pair between them. */
class Pair {
  readonly podwire = new NetworkNamespace('podwire');
  readonly kernel = new NetworkNamespace('kernel');
  readonly folder: string = mkdtempSync(join(tmpdir(), 'podwire-kernel-'));
  #children: ChildProcess[] = [];

  constructor(offloads: 'on' | 'off') {
    this.podwire.run(`ip link add eth0 type veth peer name eth0 netns ${this.kernel.name}`);
    this.podwire.run('ip address add 172.18.0.2/16 dev eth0 && ip link set eth0 up');
    this.kernel.run('ip address add 172.18.0.3/16 dev eth0 && ip link set eth0 up');
    const joining = { lease: lease(2), device: 'eth0', deviceMtu: 1500 };
    // The command that turns the offload off is what the tests with offloads leave out.
    for (const command of joinCommands(joining, vxlanConf(), [lease(1)]))
      if (offloads === 'off' || !command.startsWith('ethtool')) this.kernel.run(command);
    this.kernel.run(`ip address add ${KERNEL_POD}/32 dev lo`);
  }

  async startPodwire(settings: object): Promise<void> {
    const args = ['--import', 'tsx', PEER, JSON.stringify(settings)];
    await this.start(this.podwire, [process.execPath, ...args], /^ready$/m);
  }

  /** Starts a server in a namespace; resolves once its output says that it is ready. */
  async start(namespace: NetworkNamespace, command: string[], ready: RegExp): Promise<void> {
    const child = spawn('ip', ['netns', 'exec', namespace.name, ...command], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#children.push(child);
    // Drained to the end: a server whose output nobody takes may die of it.
    let output = '';
    await new Promise<void>((found, ended) => {
      child.stdout.on('data', (chunk: Buffer) => {
        output += String(chunk);
        if (ready.test(output)) found();
      });
      child.once('exit', () => ended(new Error(`${command.join(' ')} ended: ${output}`)));
    });
  }

  counters(): Counters {
    return JSON.parse(this.podwire.run('curl -s http://127.0.0.1:7002/')) as Counters;
  }

  /** Ends what was started, newest first. */
  async stop(): Promise<void> {
    for (const child of this.#children.toReversed()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    }
    this.#children = [];
  }

  async remove(): Promise<void> {
    await this.stop();
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
  const curl = 'curl -s --max-time 100 -w "%{speed_download} %{speed_upload}"';
  const speeds = pair.kernel.run(`${curl} -o ${down} http://${POD}/bytes/${FILE_BYTES}`);
  const block = Buffer.alloc(64 * 1024, 'All work and no play makes a dull data plane. ');
  const expected = Buffer.concat(Array.from({ length: FILE_BYTES / block.length }, () => block));
  writeFileSync(up, expected);
  expect(sha256(down)).toBe(sha256(up));
  const report = join(pair.folder, 'hash');
  const upSpeeds = pair.kernel.run(`${curl} -o ${report} --data-binary @${up} http://${POD}/`);
  expect(readFileSync(report, 'utf8')).toBe(sha256(up));
  const mbps = (text: string, index: number) => (Number(text.split(' ')[index]) * 8) / 1e6;
  return { downMbps: mbps(speeds, 0), upMbps: mbps(upSpeeds, 1) };
}

function note(text: string): void {
  process.stderr.write(`overlay-kernel: ${text}\n`);
}

const settings = {
  acceptPartialChecksums: true,
  forwardTo: { address: KERNEL_POD, port: 8080 },
};

describe.skipIf(obstacle !== undefined)('with default offloads', () => {
  let pair: Pair;

  beforeAll(async () => {
    pair = new Pair('on');
    await pair.startPodwire(settings);
    writeFileSync(join(pair.folder, 'index.html'), 'kernel pod\n');
    const web = ['python3', '-u', '-m', 'http.server', '8080', '--bind', KERNEL_POD];
    await pair.start(pair.kernel, [...web, '--directory', pair.folder], /Serving HTTP/);
    if (has('iperf3'))
      await pair.start(
        pair.podwire,
        ['iperf3', '-s', '-B', '127.0.0.1', '--forceflush'],
        /listening/,
      );
  });

  afterAll(() => pair.remove());

  test('ping, up to the MTU and in fragments beyond', () => {
    expect(pair.kernel.run(`ping -c 3 -i 0.2 -W 2 ${POD}`)).toContain(' 0% packet loss');
    expect(pair.kernel.run(`ping -c 1 -W 2 -M do -s 1422 ${POD}`)).toContain(' 0% packet loss');
    expect(pair.kernel.run(`ping -c 1 -W 2 -s 4000 ${POD}`)).toContain('4008 bytes from');
  });

  test('curl', () => expect(pair.kernel.run(`curl -s http://${POD}/`)).toBe(`pod ${POD}\n`));

  test('a port without a server refuses at once', () => {
    const result = spawnSync('ip', ['netns', 'exec', pair.kernel.name, 'curl', '-s', `${POD}:81`]);
    expect(result.status).toBe(7);
  });

  test('50 MB each way, with partial checksums and frames above the MTU accepted and counted', () => {
    const rates = transfer(pair);
    const { device, drops } = pair.counters();
    note(
      `offloads on: down ${rates.downMbps.toFixed(0)} Mb/s, up ${rates.upMbps.toFixed(0)} Mb/s, ` +
        `${device.partialChecksums} partial checksums, ${device.oversized} frames above the MTU, drops ${JSON.stringify(drops)}`,
    );
    expect(device.partialChecksums).toBeGreaterThan(100);
    expect(device.oversized).toBeGreaterThan(10);
  });

  test('from podwire to a web server of the kernel', () =>
    expect(pair.podwire.run('curl -s http://127.0.0.1:7001/index.html')).toBe('kernel pod\n'));

  test.skipIf(!has('iperf3'))('iperf3 in both directions', () => {
    const rate = (options: string): number => {
      const report = JSON.parse(pair.kernel.run(`iperf3 -J -t 3 ${options} -c ${POD}`)) as {
        end: { sum_received: { bits_per_second: number } };
      };
      return report.end.sum_received.bits_per_second / 1e6;
    };
    const [up, down] = [rate(''), rate('-R')];
    note(`iperf3, offloads on: to podwire ${up.toFixed(0)} Mb/s, from it ${down.toFixed(0)} Mb/s`);
    expect(Math.min(up, down)).toBeGreaterThan(10);
  });

  test.skipIf(!has('nmap'))('nmap sees what it would see of a Linux host', () => {
    const scan = (kind: string) =>
      pair.kernel.run(`nmap -n -Pn ${kind} -p 80,81 --host-timeout 60 ${POD}`);
    expect(scan('-sS')).toMatch(/80\/tcp\s+open[\s\S]*81\/tcp\s+closed/);
    expect(scan('-sT')).toMatch(/80\/tcp\s+open[\s\S]*81\/tcp\s+closed/);
    // An open port answers a segment without SYN, ACK and RST with nothing, a closed one with a reset.
    for (const kind of ['-sF', '-sX', '-sN'])
      expect(scan(kind)).toMatch(/80\/tcp\s+open\|filtered[\s\S]*81\/tcp\s+closed/);
    expect(scan('-sA')).toMatch(/unfiltered/);
  });

  test.skipIf(!has('hping3'))('hping3 is answered as by a Linux host', () => {
    const flags = (options: string): string => {
      const ping = `hping3 -n -c 1 ${options} ${POD}`;
      const result = spawnSync('ip', ['netns', 'exec', pair.kernel.name, 'sh', '-c', ping], {
        encoding: 'utf8',
      });
      return /flags=(\w+)/.exec(result.stdout)?.[1] ?? 'silence';
    };
    const answers = ['-S -p 80', '-S -p 81', '-A -p 80', '-F -p 80', '-S -F -p 80', '-R -p 80'];
    expect(answers.map((options) => `${options}: ${flags(options)}`)).toEqual([
      '-S -p 80: SA',
      '-S -p 81: RA',
      '-A -p 80: R',
      '-F -p 80: silence',
      '-S -F -p 80: silence',
      '-R -p 80: silence',
    ]);
  });
});

describe.skipIf(obstacle !== undefined)('with offloads off', () => {
  let pair: Pair;

  beforeAll(async () => {
    pair = new Pair('off');
    await pair.startPodwire({ ...settings, acceptPartialChecksums: false });
  });

  afterEach(() => pair.kernel.run('nft flush ruleset 2>/dev/null || true'));
  afterAll(() => pair.remove());

  test('50 MB each way, every checksum whole and no frame above the MTU', () => {
    const rates = transfer(pair);
    const { device, drops } = pair.counters();
    note(
      `offloads off: down ${rates.downMbps.toFixed(0)} Mb/s, up ${rates.upMbps.toFixed(0)} Mb/s, drops ${JSON.stringify(drops)}`,
    );
    expect([device.partialChecksums, device.oversized]).toEqual([0, 0]);
    expect(drops['tcp-bad-checksum'] ?? 0).toBe(0);
  });

  test.skipIf(!has('nft'))('50 MB each way through 2 % loss', () => {
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
    expect(Math.min(rates.downMbps, rates.upMbps)).toBeGreaterThan(4);
  });
});

describe.skipIf(obstacle !== undefined || !has('tshark'))('a capture', () => {
  test('decodes in tshark with nothing wrong in it', async () => {
    const pair = new Pair('off');
    const captureFile = join(pair.folder, 'outer.pcapng');
    try {
      await pair.startPodwire({ ...settings, acceptPartialChecksums: false, captureFile });
      const bytes = 2 * 1024 * 1024;
      pair.kernel.run(`curl -s -o ${join(pair.folder, 'got')} http://${POD}/bytes/${bytes}`);
      await pair.stop();
      const count = (filter: string): number => {
        const options = ['-o', 'tcp.check_checksum:TRUE', '-o', 'ip.check_checksum:TRUE'];
        const args = [
          '-r',
          captureFile,
          ...options,
          '-Y',
          filter,
          '-T',
          'fields',
          '-e',
          'frame.number',
        ];
        const result = spawnSync('tshark', args, { encoding: 'utf8' });
        return result.stdout.split('\n').filter((line) => line !== '').length;
      };
      expect(count('vxlan.vni == 1')).toBeGreaterThan(bytes / 1400);
      expect(count('http.response.code == 200')).toBe(1);
      expect(count('_ws.malformed')).toBe(0);
      expect(count('tcp.checksum.status == 0 || ip.checksum.status == 0')).toBe(0);
      expect(count('tcp.analysis.retransmission || tcp.analysis.lost_segment')).toBe(0);
    } finally {
      await pair.remove();
    }
  });
});
