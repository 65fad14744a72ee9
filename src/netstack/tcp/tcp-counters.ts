/** Named after Linux's counters (nstat) where it has one. */
export interface TcpCounters {
  activeOpens: number;
  passiveOpens: number;
  attemptFails: number;
  estabResets: number;
  inSegs: number;
  outSegs: number;
  retransSegs: number;
  outRsts: number;
  timeouts: number;
  fastRecoveries: number;
  lossProbes: number;
  challengeAcks: number;
  dsacksSent: number;
  dsacksReceived: number;
  zeroWindowProbes: number;
  keepalives: number;
}

export function emptyCounters(): TcpCounters {
  return {
    activeOpens: 0,
    passiveOpens: 0,
    attemptFails: 0,
    estabResets: 0,
    inSegs: 0,
    outSegs: 0,
    retransSegs: 0,
    outRsts: 0,
    timeouts: 0,
    fastRecoveries: 0,
    lossProbes: 0,
    challengeAcks: 0,
    dsacksSent: 0,
    dsacksReceived: 0,
    zeroWindowProbes: 0,
    keepalives: 0,
  };
}
