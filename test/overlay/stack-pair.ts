import { ManualClock } from '../../src/base/clock.ts';
import { type Ipv4Cidr, parseIpv4 } from '../../src/base/ip.ts';
import { seededRandom } from '../../src/base/random.ts';
import type { NetInterface } from '../../src/netstack/ip/net-interface.ts';
import { StackDriver } from '../../src/overlay/stack-driver.ts';
import { cidr } from '../ipam/addresses.ts';

export const CLIENT: number = parseIpv4('10.244.1.5') ?? 0;
export const POD: number = parseIpv4('10.244.2.5') ?? 0;

/** Sees a frame that comes to the pod's node; true takes it. */
type Filter = (bytes: Uint8Array, from: number, to: number) => boolean;

/** A client's stack and a pod's node's stack on one link, in virtual time. */
export class StackPair {
  readonly clock: ManualClock = new ManualClock();
  readonly client: StackDriver;
  readonly node: StackDriver;
  readonly netInterface: NetInterface;
  filter: Filter = () => false;

  constructor() {
    const [client, node] = [this.#driver('client'), this.#driver('node')];
    this.client = client.driver;
    this.node = node.driver;
    this.netInterface = node.netInterface;
    client.driver.stack.neighbours.setPermanent(client.netInterface, POD, node.netInterface.mac);
    client.connect(CLIENT, (packet) => {
      if (!this.filter(packet, 0, packet.length))
        this.node.process(node.netInterface, packet, 0, packet.length);
    });
    node.connect(POD, (packet) =>
      this.client.process(client.netInterface, packet, 0, packet.length),
    );
  }

  #driver(name: string) {
    let deliver: (packet: Uint8Array) => void = () => undefined;
    const driver = new StackDriver({
      clock: this.clock,
      random: seededRandom(name),
      emit: (_, packet) => this.clock.setTimer(1, () => deliver(packet)),
    });
    const mac = name === 'client' ? 0x0200_0000_0001 : 0x0200_0000_0002;
    const netInterface = driver.stack.addInterface({ name: 'eth0', mac, mtuBytes: 1450 });
    const everything = cidr('10.244.0.0/16') as Ipv4Cidr;
    const connect = (address: number, to: (packet: Uint8Array) => void): void => {
      driver.stack.addAddress(address);
      driver.stack.fib.replace({ destination: everything, netInterface });
      deliver = to;
    };
    return { driver, netInterface, connect };
  }
}
