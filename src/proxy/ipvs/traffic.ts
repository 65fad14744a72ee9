/** What `ipvsadm --stats` shows of a service or a destination. The director's "in" is from the client. */
export interface Traffic {
  connections: number;
  packetsIn: number;
  packetsOut: number;
  bytesIn: number;
  bytesOut: number;
}

export function noTraffic(): Traffic {
  return { connections: 0, packetsIn: 0, packetsOut: 0, bytesIn: 0, bytesOut: 0 };
}
