// Cost per operation of each allocator against its size: npx tsx bench/ipam/allocators.bench.ts
// Fills it, releases everything in random order, fills it again while releasing at random.
import { parseCidr, parseIp } from '../../src/base/ip.ts';
import { type Random, seededRandom, shuffle } from '../../src/base/random.ts';
import { HostLocalAllocator } from '../../src/ipam/host-local.ts';
import { LbPoolAllocator } from '../../src/ipam/lb-pools.ts';
import { MemoryLeaseStore } from '../../src/ipam/lease-store.ts';
import { NodeCidrAllocator } from '../../src/ipam/node-cidrs.ts';
import { parseRangeSets } from '../../src/ipam/range-set.ts';
import { ServiceIpAllocator } from '../../src/ipam/service-ips.ts';

interface Subject {
  readonly name: string;
  allocate(owner: number): boolean;
  release(owner: number): void;
}

const ROUNDS = 5;
const SIZES = [1024, 4096, 16_384, 65_536] as const;

function known<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('a constant of this bench is malformed');
  return value;
}

const address = (text: string, plus: number) => {
  const ip = known(parseIp(text));
  return ip.family === 'IPv4' ? { ...ip, value: ip.value + plus } : ip;
};

/** Each with room for exactly `size`. */
const SUBJECTS: readonly ((size: number) => Subject)[] = [
  (size) => {
    const subnet = known(parseCidr('10.0.0.0/8'));
    // The gateway, 10.0.0.1, is in the range and is not handed out.
    const parsed = parseRangeSets([[{ subnet, rangeEnd: address('10.0.0.1', size) }]]);
    const allocator = new HostLocalAllocator({
      sets: parsed.kind === 'ok' ? parsed.sets : [],
      store: new MemoryLeaseStore(),
    });
    const owner = (number: number) => ({ containerId: `pod-${number}`, ifName: 'eth0' });
    return {
      name: 'host-local',
      allocate: (number) => allocator.allocate(owner(number)).kind === 'allocated',
      release: (number) => allocator.release(owner(number)),
    };
  },
  (size) => {
    const allocator = new NodeCidrAllocator([
      { cidr: known(parseCidr(`10.0.0.0/${28 - Math.log2(size)}`)), nodePrefixLength: 28 },
    ]);
    return {
      name: 'node CIDRs',
      allocate: (number) => allocator.allocate(`node-${number}`).kind === 'allocated',
      release: (number) => allocator.release(`node-${number}`),
    };
  },
  (size) => {
    const allocator = new ServiceIpAllocator({
      cidr: known(parseCidr(`fd00::/${128 - Math.log2(size) - 1}`)),
      random: seededRandom('bench'),
    });
    const held = new Map<number, ReturnType<typeof address>>();
    return {
      name: 'Service IPs',
      allocate(number) {
        const outcome = allocator.allocate(`default/${number}`);
        if (outcome.kind === 'allocated') held.set(number, outcome.address);
        return outcome.kind === 'allocated';
      },
      release(number) {
        allocator.release(known(held.get(number)), `default/${number}`);
      },
    };
  },
  (size) => {
    const first = address('10.0.0.0', 0);
    const allocator = new LbPoolAllocator([
      { name: 'bench', blocks: [{ first, last: address('10.0.0.0', size - 1) }] },
    ]);
    return {
      name: 'LB pool',
      allocate: (number) =>
        allocator.assign({
          name: `default/${number}`,
          labels: {},
          ports: [{ port: 80, protocol: 'TCP' }],
          families: ['IPv4'],
        }).kind === 'assigned',
      release: (number) => allocator.release(`default/${number}`),
    };
  },
];

function nanosecondsEach(count: number, run: () => void): number {
  const before = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1e3) / count;
}

type Times = Record<'first' | 'release' | 'again' | 'churn when full', number>;

function measure(subject: Subject, size: number, random: Random): Times {
  const owners = Array.from({ length: size }, (_, index) => index);
  const allocateAll = (): void => {
    for (const owner of owners)
      if (!subject.allocate(owner)) throw new Error(`${subject.name}: full before ${size}`);
  };
  const first = nanosecondsEach(size, allocateAll);
  shuffle(owners, random);
  const release = nanosecondsEach(size, () => {
    for (const owner of owners) subject.release(owner);
  });
  shuffle(owners, random);
  const again = nanosecondsEach(size, allocateAll);
  shuffle(owners, random);
  const churn = nanosecondsEach(2 * size, () => {
    for (const owner of owners) {
      subject.release(owner);
      if (!subject.allocate(owner)) throw new Error(`${subject.name}: lost an address`);
    }
  });
  return { first, release, again, 'churn when full': churn };
}

/** The best of some rounds, so that other work of the machine counts little. */
function best(rounds: readonly Times[]): string {
  const steps = ['first', 'release', 'again', 'churn when full'] as const;
  return steps
    .map((step) => {
      const ns = Math.min(...rounds.map((times) => times[step]));
      return `${step} ${ns.toFixed(0).padStart(5)}`;
    })
    .join('   ');
}

console.log(`ns of processor time per operation, best of ${ROUNDS}`);
for (const make of SUBJECTS) {
  measure(make(16_384), 16_384, seededRandom('warm-up'));
  for (const size of SIZES) {
    const subjects = Array.from({ length: ROUNDS }, () => make(size));
    const rounds = subjects.map((subject) => measure(subject, size, seededRandom('bench')));
    const name = subjects[0]?.name ?? '';
    console.log(`${name.padEnd(12)} ${String(size).padStart(6)}  ${best(rounds)}`);
  }
}
