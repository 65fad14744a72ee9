/** States of a TCP entry, as ipvsadm names them. They describe the real server's socket. */
export type TcpState =
  | 'NONE'
  | 'ESTABLISHED'
  | 'SYN_SENT'
  | 'SYN_RECV'
  | 'FIN_WAIT'
  | 'TIME_WAIT'
  | 'CLOSE'
  | 'CLOSE_WAIT'
  | 'LAST_ACK'
  | 'LISTEN'
  | 'SYNACK';

/**
 * What the state machine sees of a segment: the first of RST, SYN, FIN and ACK that is set.
 * 'none': none of them (no such segment is legal after the handshake; the entry is closed).
 */
export type Segment = 'syn' | 'fin' | 'ack' | 'rst' | 'none';

export type Side = 'client' | 'server';

const COLUMNS: readonly (readonly [code: string, state: TcpState])[] = [
  ['NO', 'NONE'],
  ['ES', 'ESTABLISHED'],
  ['SS', 'SYN_SENT'],
  ['SR', 'SYN_RECV'],
  ['FW', 'FIN_WAIT'],
  ['TW', 'TIME_WAIT'],
  ['CL', 'CLOSE'],
  ['CW', 'CLOSE_WAIT'],
  ['LA', 'LAST_ACK'],
  ['LI', 'LISTEN'],
  ['SA', 'SYNACK'],
];

type Row = Readonly<Record<TcpState, TcpState>>;

/** One row of the table: the state after the segment for each state before, `==` being unchanged. */
function row(cells: string): Row {
  const byCode = new Map(COLUMNS);
  const after = cells.split(' ');
  return Object.fromEntries(
    COLUMNS.map(([, state], index) => [state, byCode.get(after[index] ?? '') ?? state]),
  ) as Row;
}

const CLOSED = row('CL CL CL CL CL CL CL CL CL CL CL');

/** net/netfilter/ipvs/ip_vs_proto_tcp.c, tcp_states: NAT mode, secure_tcp off. */
const TRANSITIONS: Readonly<Record<Side, Readonly<Record<Segment, Row>>>> = {
  client: {
    //        NO ES SS SR FW TW CL CW LA LI SA
    syn: row('SR == ES == SR SR SR SR SR SR SR'),
    fin: row('CL CW == TW TW == == == == == TW'),
    ack: row('ES == == ES == == == == CL == ES'),
    rst: row('CL CL CL == CL CL == CL == == SR'),
    none: CLOSED,
  },
  server: {
    syn: row('SS == == == SS SS SS SS SS == SR'),
    fin: row('TW FW == TW == == == TW == == TW'),
    ack: row('ES == == ES == == == == == ES ES'),
    rst: row('CL CL == CL CL == == CL CL CL CL'),
    none: CLOSED,
  },
};

export function nextTcpState(state: TcpState, side: Side, segment: Segment): TcpState {
  return TRANSITIONS[side][segment][state];
}

/** Half-open entries count as active too: an unanswered SYN weighs as much as a living connection. */
export function isActiveTcpState(state: TcpState): boolean {
  return (
    state === 'ESTABLISHED' || state === 'SYN_RECV' || state === 'SYN_SENT' || state === 'SYNACK'
  );
}
