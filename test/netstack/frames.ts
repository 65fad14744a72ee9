// Frames as a peer on the link would make and read them.
import { pseudoHeaderSum } from '../../src/wire/checksum.ts';
import { encodeEthernet, ETHERNET_HEADER_BYTES, EtherType } from '../../src/wire/ethernet.ts';
import {
  decodeIpv4,
  emptyIpv4,
  encodeIpv4,
  IPV4_HEADER_BYTES,
  IpProtocol,
  type Ipv4Header,
} from '../../src/wire/ipv4.ts';
import {
  decodeTcp,
  emptyTcp,
  encodeTcp,
  type TcpHeader,
  tcpHeaderBytes,
} from '../../src/wire/tcp.ts';
import { encodeUdp, UDP_HEADER_BYTES } from '../../src/wire/udp.ts';

export const STACK_MAC = 0x0e2a_0000_0001;
export const PEER_MAC = 0x0e2a_0000_0002;
/** 192.0.2.1 and 192.0.2.2. */
export const STACK_IP = 0xc000_0201;
export const PEER_IP = 0xc000_0202;

export const IP_AT: number = ETHERNET_HEADER_BYTES;
export const TRANSPORT_AT: number = ETHERNET_HEADER_BYTES + IPV4_HEADER_BYTES;

/** From the peer to the stack, unless `fields` says otherwise. */
export function ipFrame(payload: Uint8Array, fields: Partial<Ipv4Header> = {}): Uint8Array {
  const frame = new Uint8Array(TRANSPORT_AT + payload.length);
  encodeEthernet(frame, 0, { destination: STACK_MAC, source: PEER_MAC, type: EtherType.ipv4 });
  encodeIpv4(frame, IP_AT, {
    ...emptyIpv4(),
    source: PEER_IP,
    destination: STACK_IP,
    totalBytes: IPV4_HEADER_BYTES + payload.length,
    ...fields,
  });
  frame.set(payload, TRANSPORT_AT);
  return frame;
}

export function tcpFrame(
  fields: Partial<TcpHeader>,
  payload: Uint8Array = new Uint8Array(0),
  ip: Partial<Ipv4Header> = {},
): Uint8Array {
  const header = { ...emptyTcp(), ...fields };
  const headerBytes = tcpHeaderBytes(header);
  const segment = new Uint8Array(headerBytes + payload.length);
  segment.set(payload, headerBytes);
  const source = ip.source ?? PEER_IP;
  const destination = ip.destination ?? STACK_IP;
  const pseudo = pseudoHeaderSum(source, destination, IpProtocol.tcp, segment.length);
  encodeTcp(segment, 0, segment.length, header, pseudo);
  return ipFrame(segment, { protocol: IpProtocol.tcp, ...ip });
}

export function udpFrame(
  ports: { sourcePort: number; destinationPort: number },
  payload: Uint8Array,
  ip: Partial<Ipv4Header> = {},
): Uint8Array {
  const datagram = new Uint8Array(UDP_HEADER_BYTES + payload.length);
  datagram.set(payload, UDP_HEADER_BYTES);
  const { source = PEER_IP, destination = STACK_IP } = ip;
  const pseudo = pseudoHeaderSum(source, destination, IpProtocol.udp, datagram.length);
  encodeUdp(datagram, 0, { ...ports, lengthBytes: datagram.length, checksum: 0 }, pseudo);
  return ipFrame(datagram, { protocol: IpProtocol.udp, ...ip });
}

export interface ParsedTcp {
  readonly ip: Ipv4Header;
  readonly tcp: TcpHeader;
  readonly payload: Uint8Array;
}

/** The TCP segment in a frame, or undefined when it holds something else. */
export function parseTcp(frame: Uint8Array): ParsedTcp | undefined {
  const ip = emptyIpv4();
  const tcp = emptyTcp();
  if (decodeIpv4(frame, IP_AT, frame.length, ip) !== undefined) return undefined;
  if (ip.protocol !== IpProtocol.tcp) return undefined;
  if (decodeTcp(frame, TRANSPORT_AT, frame.length, tcp) !== undefined) return undefined;
  return { ip, tcp, payload: frame.subarray(TRANSPORT_AT + tcp.headerBytes) };
}
