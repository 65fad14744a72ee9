// Throughput and fairness in virtual time. The tables are committed: any change of what is sent when is a
// diff. Accept one with `npx vitest run -u test/sim/throughput.test.ts` and look at it.
import { expect, test } from 'vitest';
import {
  type CongestionControlName,
  resolveTcpConfig,
  type TcpConfig,
} from '../../src/netstack/tcp/tcp-config.ts';
import { drain, feed, Simulation, type SimulationOptions } from './simulation.ts';

const MEGABIT = 1_000_000;

/** Mb/s of one transfer, the handshake included. */
function transfer(options: SimulationOptions, totalBytes: number): number {
  const simulation = new Simulation(options);
  let received = 0;
  let doneAt = 0;
  simulation.server.stack.tcp.listen(0, 80, {
    onConnection: (socket) =>
      socket.setHandler({
        readable: () => {
          drain(socket, (chunk) => (received += chunk.length));
          if (received === totalBytes && doneAt === 0) doneAt = simulation.clock.now();
          if (socket.isReadEnded) socket.end();
        },
      }),
  });
  const socket = simulation.dial(80);
  const write = feed(socket, new Uint8Array(totalBytes), 64 * 1024);
  socket.setHandler({ connected: write, writable: write });
  simulation.run(3_600_000);
  expect(received).toBe(totalBytes);
  expect(simulation.client.largestPacketBytes).toBeLessThanOrEqual(options.mtuBytes ?? 1450);
  return (totalBytes * 8) / doneAt / 1000;
}

const DELAYS_MS = [0.5, 10, 50];
const LOSSES = [0, 0.003, 0.01, 0.03, 0.1];

/** One row a combination, one column a loss. */
function table(
  rows: readonly { name: string; options: (loss: number) => SimulationOptions }[],
): string {
  const head = `${''.padEnd(34)}${LOSSES.map((loss) => `${loss * 100} %`.padStart(9)).join('')}`;
  const lines = rows.map(({ name, options }) => {
    const cells = LOSSES.map((loss) => transfer(options(loss), 1_000_000).toFixed(2).padStart(9));
    return name.padEnd(34) + cells.join('');
  });
  return `${[head, ...lines].join('\n')}\n`;
}

test('one transfer of 1 MB at 100 Mb/s: loss × delay × buffer × MTU', async () => {
  const rows = DELAYS_MS.flatMap((delayMs) =>
    [16, 256].flatMap((bufferKib) =>
      [1450, 8950].map((mtuBytes) => ({
        name: `rtt ${2 * delayMs} ms, ${bufferKib} KiB, mtu ${mtuBytes}`,
        options: (lossFraction: number): SimulationOptions => ({
          seed: 'matrix',
          mtuBytes,
          tcp: { receiveBufferBytes: bufferKib * 1024, sendBufferBytes: bufferKib * 1024 },
          forward: { lossFraction, delayMs, rateBitsPerSecond: 100 * MEGABIT },
        }),
      })),
    ),
  );
  await expect(`Mb/s\n${table(rows)}`).toMatchFileSnapshot('throughput.txt');
});

test('the mechanisms apart: what each is worth at 20 ms and 100 Mb/s', async () => {
  const variants: readonly (readonly [string, Partial<TcpConfig>])[] = [
    ['cubic, rack', {}],
    ['reno, rack', { congestionControl: 'reno' }],
    ['cubic, sack counting', { lossDetection: 'sack' }],
    ['reno, sack counting', { congestionControl: 'reno', lossDetection: 'sack' }],
    ['reno, no sack', { congestionControl: 'reno', sack: false }],
    ['cubic, no timestamps', { timestamps: false }],
    ['cubic, no window scaling', { windowScaling: false }],
  ];
  const rows = variants.map(([name, tcp]) => ({
    name,
    options: (lossFraction: number): SimulationOptions => ({
      seed: 'mechanisms',
      tcp,
      forward: { lossFraction, delayMs: 10, rateBitsPerSecond: 100 * MEGABIT },
    }),
  }));
  await expect(`Mb/s\n${table(rows)}`).toMatchFileSnapshot('mechanisms.txt');
});

/** Jain: 1 when all are equal, 1/n when one has everything. */
function fairness(shares: readonly number[]): number {
  const sum = shares.reduce((total, share) => total + share, 0);
  const squares = shares.reduce((total, share) => total + share ** 2, 0);
  return sum ** 2 / (shares.length * squares);
}

/** Bytes each flow moves in ten seconds over 20 Mb/s with a queue of one bandwidth-delay product. */
function shareOf(flows: readonly CongestionControlName[]): number[] {
  const simulation = new Simulation({
    seed: 'share',
    forward: { delayMs: 10, rateBitsPerSecond: 20 * MEGABIT, queueBytes: 50_000 },
    backward: { delayMs: 10 },
  });
  const received = flows.map(() => 0);
  flows.forEach((congestionControl, index) => {
    simulation.server.stack.tcp.listen(0, 80 + index, {
      onConnection: (socket) =>
        socket.setHandler({
          readable: () =>
            drain(socket, (chunk) => {
              received[index] = (received[index] ?? 0) + chunk.length;
            }),
        }),
    });
    const target = { source: simulation.client.address, address: simulation.server.address };
    const outcome = simulation.client.stack.tcp.connect(
      simulation.clock.now(),
      { ...target, port: 80 + index },
      {},
      resolveTcpConfig({ congestionControl, timeWaitMs: 1000 }),
    );
    if (outcome.kind !== 'connecting') throw new Error(outcome.kind);
    const write = feed(outcome.socket, new Uint8Array(40_000_000), 64 * 1024);
    outcome.socket.setHandler({ connected: write, writable: write });
  });
  simulation.run(10_000);
  return received;
}

test('flows that share a bottleneck of 20 Mb/s and 20 ms', async () => {
  const cases: readonly (readonly [string, readonly CongestionControlName[]])[] = [
    ['1 cubic', ['cubic']],
    ['2 cubic', ['cubic', 'cubic']],
    ['4 cubic', Array.from({ length: 4 }, () => 'cubic')],
    ['8 cubic', Array.from({ length: 8 }, () => 'cubic')],
    ['4 reno', Array.from({ length: 4 }, () => 'reno')],
    ['2 cubic, 2 reno', ['cubic', 'cubic', 'reno', 'reno']],
  ];
  const lines = cases.map(([name, flows]) => {
    const shares = shareOf(flows);
    const totalMbps = (shares.reduce((sum, bytes) => sum + bytes, 0) * 8) / 10 / MEGABIT;
    const jain = fairness(shares);
    expect(jain).toBeGreaterThan(0.7);
    expect(totalMbps).toBeGreaterThan(16);
    return `${name.padEnd(18)}${totalMbps.toFixed(2).padStart(6)} Mb/s   Jain ${jain.toFixed(3)}`;
  });
  await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('fairness.txt');
});
