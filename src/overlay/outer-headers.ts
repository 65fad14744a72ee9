import { pseudoHeaderSum } from '../wire/checksum.ts';
import { ETHERNET_HEADER_BYTES, encodeEthernet, EtherType } from '../wire/ethernet.ts';
import { emptyIpv4, encodeIpv4, IPV4_HEADER_BYTES, IpProtocol } from '../wire/ipv4.ts';
import { encodeUdp, UDP_HEADER_BYTES } from '../wire/udp.ts';

const UDP_AT = ETHERNET_HEADER_BYTES + IPV4_HEADER_BYTES;
const PAYLOAD_AT = UDP_AT + UDP_HEADER_BYTES;

/** The private range, where kernels take the source ports of tunnels from. */
const SOURCE_PORT = 49_152;

/** What the system put around a datagram, as nearly as a program can know: for captures, which want whole frames. */
export interface OuterAddresses {
  /** IPv4. */
  readonly source: number;
  readonly destination: number;
  readonly destinationPort: number;
}

/** `datagram` with Ethernet, IPv4 and UDP before it. MACs and source port are made up from the addresses. */
export function withOuterHeaders(datagram: Uint8Array, outer: OuterAddresses): Uint8Array {
  const { source, destination, destinationPort } = outer;
  const frame = new Uint8Array(PAYLOAD_AT + datagram.length);
  frame.set(datagram, PAYLOAD_AT);
  encodeEthernet(frame, 0, {
    destination: macOf(destination),
    source: macOf(source),
    type: EtherType.ipv4,
  });
  const lengthBytes = UDP_HEADER_BYTES + datagram.length;
  encodeIpv4(frame, ETHERNET_HEADER_BYTES, {
    ...emptyIpv4(),
    source,
    destination,
    protocol: IpProtocol.udp,
    totalBytes: IPV4_HEADER_BYTES + lengthBytes,
  });
  encodeUdp(
    frame,
    UDP_AT,
    {
      sourcePort: SOURCE_PORT + (source % 4096),
      destinationPort,
      lengthBytes,
      checksum: 0,
    },
    pseudoHeaderSum(source, destination, IpProtocol.udp, lengthBytes),
  );
  return frame;
}

/** Locally administered. */
function macOf(address: number): number {
  return 0x0200_0000_0000 + address;
}
