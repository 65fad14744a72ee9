export interface SocketAddress {
  /** Canonical text, see ip.ts. */
  readonly address: string;
  readonly port: number;
}
