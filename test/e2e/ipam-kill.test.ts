import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { formatIp } from '../../src/base/ip.ts';
import { HostLocalAllocator } from '../../src/ipam/host-local.ts';
import { parseRangeSets } from '../../src/ipam/range-set.ts';
import { IpamFileStore } from '../../src/node/ipam-file-store.ts';
import { cidr } from '../ipam/addresses.ts';

const CHURN = resolve(import.meta.dirname, 'processes/ipam-churn.ts');

let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'podwire-ipam-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

/** Runs the churn until it has written `lineCount` lines, kills it with SIGKILL; everything it wrote. */
async function churnUntilKilled(seed: number, lineCount: number): Promise<string[]> {
  const child = spawn(process.execPath, ['--import', 'tsx', CHURN, folder, String(seed)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (lines.length === lineCount) child.kill('SIGKILL');
  }
  await exited;
  return lines;
}

/** Leases by what the child answered, and the owner whose release was under way. */
function replay(lines: readonly string[], held: Map<string, string>): string | undefined {
  let releasing: string | undefined;
  for (const line of lines) {
    const [verb, owner = '', address = ''] = line.split(' ');
    releasing = verb === 'releasing' ? owner : undefined;
    if (verb === 'allocated') held.set(owner, address);
    if (verb === 'released') held.delete(owner);
  }
  return releasing;
}

test('kill -9 in the middle of allocations loses no lease, and gc leaves no other', async () => {
  const held = new Map<string, string>();
  for (const [seed, lineCount] of [300, 431, 557, 688, 702].entries()) {
    const releasing = replay(await churnUntilKilled(seed, lineCount), held);
    if (releasing !== undefined) held.delete(releasing);

    const parsed = parseRangeSets([[{ subnet: cidr('10.244.0.0/22') }]]);
    const allocator = new HostLocalAllocator({
      sets: parsed.kind === 'ok' ? parsed.sets : [],
      store: new IpamFileStore(folder),
    });
    const found = new Map(
      allocator.leases().map((lease) => [lease.owner.containerId, formatIp(lease.address)]),
    );
    // Nothing lost; at most the one allocation that was not answered, or the release that was not, besides.
    expect([...held].filter(([owner, address]) => found.get(owner) !== address)).toEqual([]);
    expect(found.size - held.size).toBeLessThanOrEqual(1);

    const live = [...held.keys()].map((containerId) => ({ containerId, ifName: 'eth0' }));
    expect(allocator.gc(live).length).toBe(found.size - held.size);
    expect(readdirSync(folder)).toHaveLength(held.size + 1);
  }
  expect(held.size).toBeGreaterThan(100);
});
