import { connect } from 'node:net';
import { Duplex } from 'node:stream';
import { systemClock } from '../../src/base/clock.ts';
import { parseCidr, parseIp } from '../../src/base/ip.ts';
import { createLogger } from '../../src/base/log.ts';
import { seededRandom } from '../../src/base/random.ts';
import type { Lease } from '../../src/overlay/lease.ts';
import { type NetConf, parseNetConf } from '../../src/overlay/net-conf.ts';
import { OverlayNode } from '../../src/overlay/overlay-node.ts';

/** The nodes' port: another than a running cluster's 8472. */
const PORT = 18_472;
const CHUNK = new Uint8Array(256 * 1024).fill(7);

export interface NodeSettings {
  /** 1 or 2. */
  readonly index: number;
  /** Of the underlay: 1500 or 65,536. */
  readonly underlayMtu: number;
  /** Listened on at the pod's address. */
  readonly forwardPorts: { readonly direct: number; readonly overlay: number };
}

export const FORWARD_PORTS = { direct: 18_481, overlay: 18_482 } as const;

/** Where the pods have a real server that echoes; everything else they throw away. */
export const ECHO_PORT = 7;
export const echoServerPort = (index: number): number => 18_490 + index;

export function podOf(index: number): string {
  return `127.244.${index}.2`;
}

/** Opens a node whose one pod takes all that is sent to it, in memory, but for the echo port. */
export async function openNode({ index, underlayMtu }: NodeSettings): Promise<OverlayNode> {
  const lease = leaseOf(index);
  if (lease.ipv4?.vtep === undefined) throw new Error('the lease has a VTEP');
  const node = await OverlayNode.open({
    name: lease.node,
    publicIp: lease.ipv4.publicIp,
    subnet: lease.ipv4.subnet,
    conf: netConf(),
    underlayNetworks: [],
    underlayMtu,
    vtepMac: lease.ipv4.vtep.mac,
    dialPod: ({ port }) =>
      port === ECHO_PORT
        ? connect({ host: podOf(index), port: echoServerPort(index), noDelay: true })
        : devNull(),
    dialPodDatagrams: () => ({ send: () => undefined, close: () => undefined }),
    clock: systemClock,
    random: seededRandom(`bench ${index}`),
    log: createLogger({ level: 'warn', format: 'text' }),
  });
  node.addPod(podOf(index));
  node.setLeases([leaseOf(1), leaseOf(2)]);
  return node;
}

/** Sends `bytes` over `flows` connections at once; resolves when the pod has taken everything. */
export async function transfer(
  node: OverlayNode,
  to: string,
  flows: number,
  bytes: number,
): Promise<void> {
  const share = Math.ceil(bytes / flows);
  await Promise.all(Array.from({ length: flows }, () => sendOne(node, to, share)));
}

function sendOne(node: OverlayNode, address: string, bytes: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = node.connect({ sourceAddress: '', address, port: 80 });
    let left = bytes;
    const fill = (): void => {
      while (left > 0) {
        const chunk = left < CHUNK.length ? CHUNK.subarray(0, left) : CHUNK;
        left -= chunk.length;
        if (!stream.write(chunk)) {
          stream.once('drain', fill);
          return;
        }
      }
      stream.end();
    };
    stream.once('connect', fill);
    stream.once('error', reject);
    // The pod ends its side when it has all.
    stream.once('end', resolve);
    stream.resume();
  });
}

/** A pod's server that throws everything away, then ends. */
function devNull(): Duplex {
  const stream = new Duplex({
    read: () => undefined,
    write: (_chunk, _encoding, done) => done(),
    final: (done) => {
      stream.push(null);
      done();
    },
    allowHalfOpen: true,
  });
  setImmediate(() => stream.emit('connect'));
  return stream;
}

function netConf(): NetConf {
  const outcome = parseNetConf(
    JSON.stringify({ Network: '127.244.0.0/16', Backend: { Type: 'vxlan', Port: PORT } }),
  );
  if (outcome.kind !== 'ok') throw new Error(outcome.problems.join());
  return outcome.conf;
}

function leaseOf(index: number): Lease {
  const publicIp = parseIp(`127.18.7.${index}`);
  const subnet = parseCidr(`127.244.${index}.0/24`);
  if (publicIp === undefined || subnet === undefined) throw new Error('constants parse');
  return {
    node: `bench-${index}`,
    backendType: 'vxlan',
    ipv4: { publicIp, subnet, vtep: { vni: 1, mac: 0x0200_0000_0000 + index } },
  };
}
