/** net.netfilter.nf_conntrack_udp_timeout: until the endpoint has answered, or the talk is young. */
const UNREPLIED_TIMEOUT_MS = 30_000;
/** net.netfilter.nf_conntrack_udp_timeout_stream: traffic both ways for longer than the stream delay. */
const STREAM_TIMEOUT_MS = 120_000;
/** A question and its answer are no stream yet (nf_conntrack_proto_udp.c, 2 * HZ). */
const STREAM_DELAY_MS = 2000;

/** What conntrack keeps of one client's datagrams to one destination. Times are the Clock's. */
export interface UdpFlowState {
  readonly createdAt: number;
  /** The endpoint has answered. */
  readonly replied: boolean;
  /** `[ASSURED]` in `conntrack -L`. */
  readonly assured: boolean;
  readonly expiresAt: number;
}

export interface MutableUdpFlowState {
  createdAt: number;
  replied: boolean;
  assured: boolean;
  expiresAt: number;
}

/** `idleTimeoutMs`: userspace mode's; conntrack's rules when absent. */
export function startUdpFlow(now: number, idleTimeoutMs: number | undefined): MutableUdpFlowState {
  return {
    createdAt: now,
    replied: false,
    assured: false,
    expiresAt: now + (idleTimeoutMs ?? UNREPLIED_TIMEOUT_MS),
  };
}

/** A datagram has passed, in either direction (nf_conntrack_udp_packet). */
export function touchUdpFlow(
  state: MutableUdpFlowState,
  from: 'client' | 'endpoint',
  now: number,
  idleTimeoutMs: number | undefined,
): void {
  if (from === 'endpoint') state.replied = true;
  if (idleTimeoutMs !== undefined) {
    state.expiresAt = now + idleTimeoutMs;
    return;
  }
  const stream = state.replied && now - state.createdAt > STREAM_DELAY_MS;
  if (stream) state.assured = true;
  state.expiresAt = now + (stream ? STREAM_TIMEOUT_MS : UNREPLIED_TIMEOUT_MS);
}
