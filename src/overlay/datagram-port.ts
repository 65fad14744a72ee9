import type { IpAddress } from '../base/ip.ts';
import type { Resource } from '../base/lifetime.ts';

export interface DatagramPortOptions {
  readonly address: IpAddress;
  /** 0 lets the system choose. */
  readonly port: number;
  /** Asked for; Linux grants twice that, up to net.core.rmem_max. */
  readonly receiveBufferBytes: number;
  /** Called for each datagram in the order of arrival; the memory belongs to the callee. `from`: as formatIp has it. */
  readonly onDatagram: (datagram: Uint8Array, from: string) => void;
}

/**
 * The outer UDP of one VTEP: a socket that receives, and senders of which each has a socket and so a source port of its
 * own. Closing it ends the senders too; nothing is received afterwards.
 */
export interface DatagramPort extends Resource {
  /** Bound. */
  readonly port: number;
  /** What the system granted, twice what is usable of it. */
  readonly receiveBufferBytes: number;
  /** Errors that the receiving socket reported; it goes on after them. */
  readonly receiveErrors: number;
  connect(options: DatagramSenderOptions): DatagramSender;
}

export interface DatagramSenderOptions {
  readonly remote: IpAddress;
  readonly port: number;
  /** Datagrams that were taken and did not get out, with the system's `code`. ECONNREFUSED: nobody listens there. */
  readonly onLost: (code: string, datagrams: number) => void;
}

/** Gets a datagram back that is needed no more. */
export type OnSent = (datagram: Uint8Array) => void;

/** Sends to one place, in order. */
export interface DatagramSender {
  /**
   * Takes a datagram of up to {@link MAX_DATAGRAM_BYTES}, which must not change afterwards, and has it sent by the end of
   * the running callback. False where it was not taken, because more than {@link MAX_QUEUED_BYTES} wait for the system.
   * `onSent`, if it is called, is called once.
   */
  send(datagram: Uint8Array, onSent?: OnSent): boolean;
  close(): Promise<void>;
}

/** Rejects with the system's error where address and port cannot be had, for example EADDRINUSE. */
export type OpenDatagramPort = (options: DatagramPortOptions) => Promise<DatagramPort>;

/** UDP over IPv4, also the limit that podwire keeps over IPv6. */
export const MAX_DATAGRAM_BYTES = 65_507;

/** What waits for one sender while the system takes nothing: about twice a default socket buffer. */
export const MAX_QUEUED_BYTES: number = 512 * 1024;
