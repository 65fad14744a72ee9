// Losses and how they are repaired: RFC 6298, 6582, 6675, 8985, 5681, 1191.
import { describe, expect, test } from 'vitest';
import { emptyIcmp, encodeIcmp, IcmpType, UnreachableCode } from '../../src/wire/icmp.ts';
import { IpProtocol } from '../../src/wire/ipv4.ts';
import { IP_AT, ipFrame, PEER_IP, STACK_IP, tcpFrame, TRANSPORT_AT } from './frames.ts';
import { PEER_PORT, SERVER_PORT, TcpScript, type ScriptOptions } from './tcp-script.ts';

const MSS = 1000;

/** Established, with ten segments of 1,000 bytes sent (the initial window) at +0. */
function sending(options: ScriptOptions = {}, synOptions = 'mss 1000,sackOK'): TcpScript {
  const script = TcpScript.established(options, synOptions, 60_000);
  script.writeBytes(10 * MSS);
  script.play(segments(0, 10));
  return script;
}

/** `> ` lines for the segments [from, to), counted from 0. */
function segments(from: number, to: number): string {
  return Array.from({ length: to - from }, (_, index) => segment(from + index)).join('\n');
}

function segment(index: number, flags = index === 9 ? 'P.' : '.'): string {
  const start = 1 + index * MSS;
  return `+0 > ${flags} ${start}:${start + MSS}(${MSS}) ack 1`;
}

describe('the retransmission timer', () => {
  test('repeats the oldest segment, doubling, and starts over with a new ACK', () => {
    const script = sending({ config: { lossDetection: 'sack' } });
    script.play(`
      +0.2 > . 1:1001(1000) ack 1
      +0.4 > . 1:1001(1000) ack 1
      +0.8 > . 1:1001(1000) ack 1
      +0.1 < . 1:1(0) ack 1001
      +0 > . 1001:2001(1000) ack 1
      +0 > . 2001:3001(1000) ack 1`);
    expect(script.stack.tcp.counters.timeouts).toBe(3);
  });

  test('gives up after fifteen repetitions', () => {
    const script = TcpScript.established({ config: { dataRetries: 2, lossDetection: 'sack' } });
    script.write('x');
    script.play(`
      +0 > P. 1:2(1) ack 1
      +0.2 > P. 1:2(1) ack 1
      +0.4 > P. 1:2(1) ack 1
      +0.8 > R. 2:2(0) ack 1`);
    expect(script.closed).toBe('timed-out');
  });

  test('an ACK above the rewound SND.NXT is taken', () => {
    const script = sending({ config: { lossDetection: 'sack' } });
    script.play(`
      +0.2 > . 1:1001(1000) ack 1
      +0 < . 1:1(0) ack 10001
      +1 ~`);
    expect(script.established.info()).toMatchObject({ sendQueueBytes: 0, inFlightBytes: 0 });
  });

  test('skips what the peer holds', () => {
    const script = sending({ config: { lossDetection: 'sack' } });
    script.play(`
      +0 < . 1:1(0) ack 1 <sack 1001:3001>
      +0.2 > . 1:1001(1000) ack 1
      +0.01 < . 1:1(0) ack 3001
      +0 > . 3001:4001(1000) ack 1
      +0 > . 4001:5001(1000) ack 1`);
  });

  test('believes no SACK of a peer that turns out to have dropped it', () => {
    const script = sending({ config: { lossDetection: 'sack' } });
    script.play(`
      +0 < . 1:1(0) ack 1 <sack 1:1001>
      +0.2 > . 1:1001(1000) ack 1`);
  });

  test('follows the round trip: smoothed, with 200 ms for its variance', () => {
    const script = sending({ config: { lossDetection: 'sack' } });
    script.play('+0.1 < . 1:1(0) ack 1001');
    const { smoothedRttMs, rtoMs } = script.established.info();
    // The first sample was the handshake's: 0 ms.
    expect(smoothedRttMs).toBeCloseTo(12.5);
    expect(rtoMs).toBeCloseTo(212.5);
  });
});

describe('fast retransmit, counting (RFC 6675)', () => {
  const counting: ScriptOptions = { config: { lossDetection: 'sack' } };

  test('three segments above are enough, two are not', () => {
    const script = sending(counting);
    script.play(`
      +0 < . 1:1(0) ack 1 <sack 1001:2001>
      +0 < . 1:1(0) ack 1 <sack 1001:3001>
      +0 ~
      +0 < . 1:1(0) ack 1 <sack 1001:4001>
      +0 > . 1:1001(1000) ack 1`);
    expect(script.stack.tcp.counters.fastRecoveries).toBe(1);
  });

  test('several holes are filled in one recovery', () => {
    const script = sending(counting);
    script.play(`
      +0 < . 1:1(0) ack 1 <sack 1001:2001>
      +0 < . 1:1(0) ack 1 <sack 3001:4001,sack 1001:2001>
      +0 < . 1:1(0) ack 1 <sack 5001:6001,sack 3001:4001,sack 1001:2001>
      +0 > . 1:1001(1000) ack 1
      +0 < . 1:1(0) ack 1 <sack 5001:8001,sack 3001:4001,sack 1001:2001>
      +0 > . 2001:3001(1000) ack 1
      +0 < . 1:1(0) ack 1 <sack 5001:10001,sack 3001:4001,sack 1001:2001>
      +0 > . 4001:5001(1000) ack 1
      +0 < . 1:1(0) ack 10001`);
    expect(script.stack.tcp.counters).toMatchObject({ fastRecoveries: 1, retransSegs: 3 });
    expect(script.established.info().windowBytes).toBe(
      script.established.info().slowStartThresholdBytes,
    );
  });

  test('near 2^32 too', () => {
    for (let attempt = 0; attempt < 4; attempt += 1) {
      const script = sending({ ...counting, seed: `wrap ${attempt}` });
      script.play(`
        +0 < . 1:1(0) ack 1 <sack 1001:4001>
        +0 > . 1:1001(1000) ack 1`);
    }
  });

  test('blocks that make no sense are ignored', () => {
    const script = sending(counting);
    script.play(`
      +0 < . 1:1(0) ack 1 <sack 4001:1001>
      +0 < . 1:1(0) ack 1 <sack 1001:90001>
      +0 < . 1:1(0) ack 1 <sack 1001:1001>
      +0 ~`);
    expect(script.established.info().inFlightBytes).toBe(10 * MSS);
  });
});

describe('fast retransmit without SACK (RFC 6582)', () => {
  test('three duplicate ACKs; a partial ACK uncovers the next hole', () => {
    const script = sending({}, 'mss 1000');
    script.play(`
      +0 < . 1:1(0) ack 1 win 60000
      +0 < . 1:1(0) ack 1 win 60000
      +0 ~
      +0 < . 1:1(0) ack 1 win 60000
      +0 > . 1:1001(1000) ack 1
      +0.01 < . 1:1(0) ack 3001 win 60000
      +0 > . 3001:4001(1000) ack 1
      +0.01 < . 1:1(0) ack 10001 win 60000`);
    expect(script.stack.tcp.counters).toMatchObject({ fastRecoveries: 1, retransSegs: 2 });
  });

  test('window updates are no duplicates', () => {
    const script = sending({}, 'mss 1000');
    script.play(`
      +0 < . 1:1(0) ack 1 win 59000
      +0 < . 1:1(0) ack 1 win 58000
      +0 < . 1:1(0) ack 1 win 57000
      +0 < . 1:1(0) ack 1 win 56000
      +0 ~`);
    expect(script.stack.tcp.counters.retransSegs).toBe(0);
  });
});

describe('RACK and TLP (RFC 8985)', () => {
  /** A round trip of 100 ms is known. */
  function warm(): TcpScript {
    const script = TcpScript.server();
    script.play(`
      +0 < S 0:0(0) win 60000 <mss 1000,sackOK>
      +0 > S. 0:0(0) ack 1
      +0.1 < . 1:1(0) ack 1 win 60000`);
    for (let index = 0; index < 30; index += 1) {
      const start = 1 + index * 10;
      script.writeBytes(10);
      script.play(`
        +0 > P. ${start}:${start + 10}(10) ack 1
        +0.1 < . 1:1(0) ack ${start + 10}`);
    }
    script.writeBytes(5 * MSS);
    script.play(
      Array.from({ length: 5 }, (_, index) => {
        const start = 301 + index * MSS;
        return `+0 > ${index === 4 ? 'P.' : '.'} ${start}:${start + MSS}(${MSS}) ack 1`;
      }).join('\n'),
    );
    return script;
  }

  test('a lone segment may be acknowledged late: then the timeout comes first', () => {
    const script = warm();
    script.play(`
      +0.1 < . 1:1(0) ack 4301
      +0.29 ~
      +0.01 > P. 4301:5301(1000) ack 1`);
    expect(script.stack.tcp.counters).toMatchObject({ lossProbes: 0, timeouts: 1 });
  });

  test('the probe repeats the last segment when there is nothing new, and RACK fills the rest', () => {
    const script = warm();
    script.play(`
      +0.1 < . 1:1(0) ack 2301
      +0.2 > P. 4301:5301(1000) ack 1
      +0.1 < . 1:1(0) ack 2301 <sack 4301:5301>
      +0 > . 2301:3301(1000) ack 1
      +0 > . 3301:4301(1000) ack 1`);
    expect(script.stack.tcp.counters).toMatchObject({ lossProbes: 1, timeouts: 0 });
  });

  test('a lone SACK waits a quarter of the shortest round trip, then the hole is lost', () => {
    const script = warm();
    script.play(
      `
      +0.1 < . 1:1(0) ack 301 <sack 1301:2301>
      +0.02 ~
      +0.01 > . 301:1301(1000) ack 1`.replace('+0.01 >', '+0.005 >'),
    );
    expect(script.stack.tcp.counters.fastRecoveries).toBe(1);
  });

  test('a lost retransmission is seen without a timeout', () => {
    const script = warm();
    script.play(`
      +0.1 < . 1:1(0) ack 301 <sack 1301:4301>
      +0 > . 301:1301(1000) ack 1`);
    script.writeBytes(MSS);
    script.play(`
      +0 > P. 5301:6301(1000) ack 1
      +0.03 < . 1:1(0) ack 301 <sack 1301:5301>
      +0.1 < . 1:1(0) ack 301 <sack 1301:6301>
      +0 > . 301:1301(1000) ack 1`);
    expect(script.stack.tcp.counters.timeouts).toBe(0);
  });

  test('reordering within the window is no loss', () => {
    const script = warm();
    script.play(`
      +0.1 < . 1:1(0) ack 301 <sack 1301:2301>
      +0.01 < . 1:1(0) ack 2301
      +0.1 < . 1:1(0) ack 5301`);
    expect(script.stack.tcp.counters.retransSegs).toBe(0);
  });
});

describe('path MTU discovery (RFC 1191)', () => {
  function tooBig(script: TcpScript, mtuBytes: number, seq: number): Uint8Array {
    const quoted = tcpFrame(
      { sourcePort: SERVER_PORT, destinationPort: PEER_PORT, seq: script.stackSeq(seq) },
      new Uint8Array(1000),
      { source: STACK_IP, destination: PEER_IP },
    ).subarray(IP_AT, TRANSPORT_AT + 8);
    const message = new Uint8Array(8 + quoted.length);
    message.set(quoted, 8);
    encodeIcmp(message, 0, message.length, {
      ...emptyIcmp(),
      type: IcmpType.destinationUnreachable,
      code: UnreachableCode.fragmentationNeeded,
      sequenceOrMtu: mtuBytes,
    });
    return ipFrame(message, { protocol: IpProtocol.icmp, source: 0xc000_02fe });
  }

  test('what was too big goes out again at once, in smaller segments', () => {
    const script = TcpScript.established({}, 'mss 1460,sackOK', 60_000);
    script.writeBytes(2920);
    script.play('+0 > . 1:1461(1460) ack 1\n+0 > P. 1461:2921(1460) ack 1');
    script.input(tooBig(script, 1000, 1));
    script.play(`
      +0 > . 1:961(960) ack 1
      +0 > . 961:1461(500) ack 1
      +0 > . 1461:2421(960) ack 1
      +0 > P. 2421:2921(500) ack 1`);
    expect(script.established.info().mssBytes).toBe(960);
  });

  test('never below 552', () => {
    const script = TcpScript.established({}, 'mss 1460,sackOK', 60_000);
    script.writeBytes(1000);
    script.play('+0 > P. 1:1001(1000) ack 1');
    script.input(tooBig(script, 68, 1));
    script.play('+0 > . 1:513(512) ack 1\n+0 > P. 513:1001(488) ack 1');
  });

  test('a report about something not on its way is not believed', () => {
    const script = TcpScript.established({}, 'mss 1460,sackOK', 60_000);
    script.writeBytes(1000);
    script.play('+0 > P. 1:1001(1000) ack 1');
    script.input(tooBig(script, 600, 5000));
    script.play('+0 ~');
    expect(script.stack.drops.count('icmp-quote-unknown')).toBe(1);
  });
});

describe('ICMP unreachable (RFC 5461)', () => {
  function unreachable(script: TcpScript, code: number): Uint8Array {
    const quoted = tcpFrame(
      { sourcePort: 4000, destinationPort: SERVER_PORT, seq: script.stackSeq(0) },
      new Uint8Array(0),
      { source: STACK_IP, destination: PEER_IP },
    ).subarray(IP_AT, TRANSPORT_AT + 8);
    const message = new Uint8Array(8 + quoted.length);
    message.set(quoted, 8);
    const type = IcmpType.destinationUnreachable;
    encodeIcmp(message, 0, message.length, { ...emptyIcmp(), type, code });
    return ipFrame(message, { protocol: IpProtocol.icmp });
  }

  test.each([
    ['port', UnreachableCode.port, 'refused'],
    ['host', UnreachableCode.host, 'host-unreachable'],
  ])('%s unreachable ends an attempt', (_, code, reason) => {
    const script = TcpScript.client();
    script.play('+0 > S 0:0(0)');
    script.input(unreachable(script, code));
    expect(script.closed).toBe(reason);
  });

  test('an established connection is not ended', () => {
    const script = TcpScript.client();
    script.play(`
      +0 > S 0:0(0)
      +0 < S. 0:0(0) ack 1 win 60000
      +0 > . 1:1(0) ack 1`);
    script.input(unreachable(script, UnreachableCode.host));
    expect(script.established.state).toBe('ESTABLISHED');
  });
});
