// Run as a process of its own, to be killed: allocates and releases pod addresses in the folder of argv[2] and, after
// each, writes one line with what was answered.
import { writeSync } from 'node:fs';
import { formatIp } from '../../../src/base/ip.ts';
import { seededRandom } from '../../../src/base/random.ts';
import { HostLocalAllocator } from '../../../src/ipam/host-local.ts';
import { parseRangeSets } from '../../../src/ipam/range-set.ts';
import { IpamFileStore } from '../../../src/node/ipam-file-store.ts';
import { cidr } from '../../ipam/addresses.ts';

const [, , folder = '', seed = ''] = process.argv;
const parsed = parseRangeSets([[{ subnet: cidr('10.244.0.0/22') }]]);
const allocator = new HostLocalAllocator({
  sets: parsed.kind === 'ok' ? parsed.sets : [],
  store: new IpamFileStore(folder),
});
const random = seededRandom(seed);

for (;;) {
  const owner = { containerId: `pod-${random.below(400)}`, ifName: 'eth0' };
  if (allocator.leasesOf(owner).length > 0) {
    writeSync(1, `releasing ${owner.containerId}\n`);
    allocator.release(owner);
    writeSync(1, `released ${owner.containerId}\n`);
  } else {
    const outcome = allocator.allocate(owner);
    const address = outcome.kind === 'allocated' ? outcome.addresses[0]?.address : undefined;
    if (address !== undefined)
      writeSync(1, `allocated ${owner.containerId} ${formatIp(address)}\n`);
  }
}
