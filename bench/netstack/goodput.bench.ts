// Goodput of the TCP stack in memory: two stacks, one core, no sockets.
// usage: npx tsx bench/netstack/goodput.bench.ts [megabytes]
import { seededRandom } from '../../src/base/random.ts';
import { parseIpv4 } from '../../src/base/ip.ts';
import { Stack } from '../../src/netstack/stack.ts';
import type { NetInterface } from '../../src/netstack/ip/net-interface.ts';
import type { TcpSocket } from '../../src/netstack/tcp/tcp-socket.ts';

const ALICE = parseIpv4('10.244.1.2') ?? 0;
const BOB = parseIpv4('10.244.2.2') ?? 0;
const MTUS = [1450, 8950, 65_485] as const;

interface Host {
  readonly stack: Stack;
  readonly link: NetInterface;
}

function createHost(seed: string, address: number, mtuBytes: number): Host {
  const stack = new Stack({ random: seededRandom(seed) });
  const link = stack.addInterface({ name: 'eth0', mac: address, mtuBytes, headroomBytes: 8 });
  stack.addAddress(address);
  stack.fib.replace({
    destination: { family: 'IPv4', base: 0, prefixLength: 0 },
    netInterface: link,
  });
  return { stack, link };
}

/** Moves frames both ways until nothing is left to send. */
function run(alice: Host, bob: Host, isDone: () => boolean): void {
  const now = (): number => performance.now();
  while (!isDone()) {
    alice.stack.dispatch(now(), (_, packet) => bob.stack.process(now(), bob.link, packet, 8));
    bob.stack.dispatch(now(), (_, packet) => alice.stack.process(now(), alice.link, packet, 8));
  }
}

function measure(mtuBytes: number, totalBytes: number): string {
  const alice = createHost('alice', ALICE, mtuBytes);
  const bob = createHost('bob', BOB, mtuBytes);
  let received = 0;
  bob.stack.tcp.listen(0, 80, {
    onConnection(socket) {
      socket.setHandler({ readable: () => (received += drain(socket)) });
    },
  });
  const chunk = new Uint8Array(256 * 1024).fill(7);
  let left = totalBytes;
  const outcome = alice.stack.tcp.connect(
    performance.now(),
    { source: ALICE, address: BOB, port: 80 },
    { connected: () => fill(), writable: () => fill() },
  );
  if (outcome.kind !== 'connecting') throw new Error(outcome.kind);
  const { socket } = outcome;
  const fill = (): void => {
    while (left > 0) {
      const accepted = socket.write(left < chunk.length ? chunk.subarray(0, left) : chunk);
      left -= accepted;
      if (accepted < chunk.length) break;
    }
  };
  const startedAt = performance.now();
  const cpu = process.cpuUsage();
  run(alice, bob, () => received >= totalBytes);
  const { user, system } = process.cpuUsage(cpu);
  const wallMs = performance.now() - startedAt;
  const segments = alice.stack.tcp.counters.outSegs;
  const gigabits = (totalBytes * 8) / (user + system) / 1000;
  return (
    `MTU ${mtuBytes}: ${gigabits.toFixed(2)} Gb/s per core, ` +
    `${((totalBytes * 8) / wallMs / 1e6).toFixed(2)} Gb/s wall, ` +
    `${((user + system) / segments).toFixed(2)} µs per data segment, both sides, ` +
    `${bob.stack.tcp.counters.outSegs} ACKs for ${segments} segments`
  );
}

function drain(socket: TcpSocket): number {
  let bytes = 0;
  for (let chunk = socket.read(); chunk !== undefined; chunk = socket.read()) bytes += chunk.length;
  return bytes;
}

const megabytes = Number(process.argv[2] ?? 200);
measure(1450, 20_000_000);
for (const mtuBytes of MTUS) console.log(measure(mtuBytes, megabytes * 1_000_000));
