import type { Lease } from '../../src/overlay/lease.ts';
import { type NetConf, parseNetConf } from '../../src/overlay/net-conf.ts';
import { parseMac } from '../../src/wire/mac.ts';
import { cidr, ip } from '../ipam/addresses.ts';

/** net-conf.json that a test wrote down; throws when it is refused. */
export function netConf(json: object): NetConf {
  const outcome = parseNetConf(JSON.stringify({ Network: '10.244.0.0/16', ...json }));
  if (outcome.kind === 'invalid') throw new Error(outcome.problems.join('; '));
  return outcome.conf;
}

/** The lease of node-`number`: subnet 10.244.N.0/24, public address 172.18.0.(N+1), a VTEP MAC that ends in N. */
export function lease(number: number, change: Partial<Lease['ipv4'] & object> = {}): Lease {
  const mac = parseMac(`12:c6:65:89:b4:${number.toString(16).padStart(2, '0')}`) ?? 0;
  return {
    node: `node-${number}`,
    backendType: 'vxlan',
    ipv4: {
      subnet: cidr(`10.244.${number}.0/24`),
      publicIp: ip(`172.18.0.${number + 1}`),
      vtep: { vni: 1, mac },
      ...change,
    },
  };
}
