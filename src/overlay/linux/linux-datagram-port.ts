import {
  AF_INET,
  AF_INET6,
  SO_RCVBUF,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCKADDR,
  SOL_SOCKET,
  SOL_UDP,
  UDP_GRO,
} from '../../base/linux/abi.ts';
import { formatIp, type IpAddress } from '../../base/ip.ts';
import { Lifetime } from '../../base/lifetime.ts';
import { decodeSockaddr, encodeSockaddr } from '../../base/linux/sockaddr.ts';
import { type Linux, systemError, type Address } from '../../base/linux/system-calls.ts';
import type {
  DatagramPort,
  DatagramPortOptions,
  DatagramSender,
  DatagramSenderOptions,
} from '../datagram-port.ts';
import { LinuxReceiver } from './linux-receiver.ts';
import { LinuxSender } from './linux-sender.ts';
import { SendBatch } from './send-batch.ts';

/**
 * A {@link DatagramPort} of system calls: recvmmsg(2) with UDP_GRO, sendmmsg(2) with UDP_SEGMENT. Throws the system's error
 * where address and port cannot be had.
 */
export function openLinuxDatagramPort(linux: Linux, options: DatagramPortOptions): DatagramPort {
  const calls = new UdpCalls(linux);
  const fd = calls.bound(options.address, options.port);
  // Both are asked for rather than needed.
  calls.setOption(fd, SOL_SOCKET, SO_RCVBUF, options.receiveBufferBytes);
  calls.setOption(fd, SOL_UDP, UDP_GRO, 1);
  return new LinuxDatagramPort(linux, calls, options, fd);
}

class LinuxDatagramPort implements DatagramPort {
  readonly port: number;
  readonly receiveBufferBytes: number;
  readonly #linux: Linux;
  readonly #calls: UdpCalls;
  readonly #address: IpAddress;
  readonly #receiver: LinuxReceiver;
  readonly #batch: SendBatch;
  readonly #senders = new Set<LinuxSender>();
  readonly #lifetime: Lifetime;

  constructor(linux: Linux, calls: UdpCalls, options: DatagramPortOptions, fd: number) {
    const { address, onDatagram } = options;
    this.#linux = linux;
    this.#calls = calls;
    this.#address = address;
    this.port = calls.portOf(fd);
    this.receiveBufferBytes = calls.option(fd, SOL_SOCKET, SO_RCVBUF);
    this.#receiver = new LinuxReceiver(linux, fd, onDatagram);
    this.#batch = new SendBatch(linux);
    this.#lifetime = new Lifetime(`UDP ${formatIp(address)} port ${this.port}`);
    this.#lifetime.defer(() => void linux.calls.close(fd));
    const watch = linux.watch(fd, this.#receiver.read);
    this.#lifetime.defer(() => {
      this.#receiver.end();
      watch.close();
    });
  }

  get receiveErrors(): number {
    return this.#receiver.errors;
  }

  connect({ remote, port, onLost }: DatagramSenderOptions): DatagramSender {
    const sender = new LinuxSender({
      linux: this.#linux,
      batch: this.#batch,
      open: () => this.#calls.connected(this.#address, remote, port),
      onLost,
      onClosed: () => this.#senders.delete(sender),
    });
    this.#senders.add(sender);
    return sender;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#senders].map((sender) => sender.close()));
    await this.#lifetime.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Room for a struct sockaddr_in6, and behind it for a length or an option. */
const NUMBER_AT = 32;
const SCRATCH_BYTES = 40;

/** Sockets and their options, with the memory that such calls take their arguments from. */
class UdpCalls {
  readonly #linux: Linux;
  readonly #bytes = new Uint8Array(SCRATCH_BYTES);
  readonly #numbers = new Int32Array(this.#bytes.buffer, NUMBER_AT);
  readonly #address: Address;

  constructor(linux: Linux) {
    this.#linux = linux;
    this.#address = linux.addressOf(this.#bytes.buffer);
  }

  bound(address: IpAddress, port: number): number {
    const { calls } = this.#linux;
    const family = address.family === 'IPv4' ? AF_INET : AF_INET6;
    const fd = calls.socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd === -1) throw systemError(calls, 'socket');
    return this.#named(fd, 'bind', address, port);
  }

  /** The source port is the system's choice. */
  connected(local: IpAddress, remote: IpAddress, port: number): number {
    return this.#named(this.bound(local, 0), 'connect', remote, port);
  }

  portOf(fd: number): number {
    this.#numbers[0] = SOCKADDR.v6Bytes;
    const length = this.#address + NUMBER_AT;
    if (this.#linux.calls.getsockname(fd, this.#address, length) === -1)
      throw systemError(this.#linux.calls, 'getsockname');
    return decodeSockaddr(this.#bytes).port;
  }

  /** Of an int; 0 where there is no such option. */
  option(fd: number, level: number, name: number): number {
    this.#numbers[0] = 0;
    this.#numbers[1] = Int32Array.BYTES_PER_ELEMENT;
    const at = this.#address + NUMBER_AT;
    this.#linux.calls.getsockopt(fd, level, name, at, at + Int32Array.BYTES_PER_ELEMENT);
    return this.#numbers[0];
  }

  /** Where the kernel refuses, everything stays as it was. */
  setOption(fd: number, level: number, name: number, value: number): void {
    this.#numbers[0] = value;
    const at = this.#address + NUMBER_AT;
    this.#linux.calls.setsockopt(fd, level, name, at, Int32Array.BYTES_PER_ELEMENT);
  }

  /** Closes the socket where the call fails. */
  #named(fd: number, call: 'bind' | 'connect', address: IpAddress, port: number): number {
    const { calls } = this.#linux;
    const length = encodeSockaddr({ address: formatIp(address), port }, this.#bytes);
    if (calls[call](fd, this.#address, length) === 0) return fd;
    const error = systemError(calls, call);
    calls.close(fd);
    throw error;
  }
}
