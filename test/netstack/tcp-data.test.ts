// Data both ways: windows, acknowledgements, Nagle, probes: RFC 9293 §3.8, RFC 5681 §4.2, RFC 7323.
import { describe, expect, test } from 'vitest';
import { TcpScript } from './tcp-script.ts';

describe('acknowledging', () => {
  test('the first sixteen segments at once, then every second full one or after 40 ms', () => {
    const script = TcpScript.established();
    for (let index = 0; index < 16; index += 1)
      script.play(`
        +0 < . ${1 + index * 1000}:${1001 + index * 1000}(1000) ack 1
        +0 > . 1:1(0) ack ${1001 + index * 1000}`);
    script.play(`
      +0 < . 16001:17001(1000) ack 1
      +0.039 ~
      +0.001 > . 1:1(0) ack 17001
      +0 < . 17001:18001(1000) ack 1
      +0 < . 18001:19001(1000) ack 1
      +0 > . 1:1(0) ack 19001`);
  });

  test('an acknowledgement rides on data', () => {
    const script = TcpScript.established();
    script.isReading = false;
    script.play('+0 < P. 1:6(5) ack 1\n+0 > . 1:1(0) ack 6');
    script.write('reply');
    script.play('+0 > P. 1:6(5) ack 6\n+0.1 ~\n+0 < . 6:6(0) ack 6');
  });

  test('an old duplicate is acknowledged at once, and reported (RFC 2883)', () => {
    const script = TcpScript.established();
    script.play(`
      +0 < P. 1:6(5) ack 1
      +0 > . 1:1(0) ack 6
      +0 < P. 1:6(5) ack 1
      +0 > . 1:1(0) ack 6 <sack 1:6>`);
    expect(script.receivedText()).toBe('aaaaa');
  });

  test('only the new part of an overlapping segment is taken', () => {
    const script = TcpScript.established();
    script.play(`
      +0 < P. 1:6(5) ack 1
      +0 > . 1:1(0) ack 6
      +0 < P. 3:9(6) ack 1
      +0 > . 1:1(0) ack 9`);
    expect(script.receivedText()).toHaveLength(8);
  });

  test.each([
    ['2^32', 0xffff_fffa],
    ['2^31', 0x7fff_fffa],
  ])('sequence numbers cross %s', (_, peerIsn) => {
    const script = TcpScript.established({ peerIsn });
    script.play(`
      +0 < . 6:16(10) ack 1
      +0 > . 1:1(0) ack 1 <sack 6:16>
      +0 < . 21:26(5) ack 1
      +0 > . 1:1(0) ack 1 <sack 21:26,sack 6:16>
      +0 < . 1:6(5) ack 1
      +0 > . 1:1(0) ack 16 <sack 21:26>
      +0 < P. 16:21(5) ack 1
      +0 > . 1:1(0) ack 26`);
    expect(script.receivedText()).toHaveLength(25);
  });

  test('without SACK every segment beyond a hole gets its duplicate ACK', () => {
    const script = TcpScript.established({}, 'mss 1460');
    script.play(`
      +0 < . 11:21(10) ack 1
      +0 > . 1:1(0) ack 1
      +0 < . 21:31(10) ack 1
      +0 > . 1:1(0) ack 1`);
  });

  test('the latest of many holes is reported first, three at most beside timestamps', () => {
    const script = TcpScript.server({ config: { timestamps: true } });
    script.play(`
      +0 < S 0:0(0) win 65535 <mss 1460,sackOK,TS val 1 ecr 0>
      +0 > S. 0:0(0) ack 1
      +0 < . 1:1(0) ack 1 <TS val 1 ecr 0>
      +0 < . 11:21(10) ack 1 <TS val 1 ecr 0>
      +0 > . 1:1(0) ack 1 <sack 11:21>
      +0 < . 31:41(10) ack 1 <TS val 1 ecr 0>
      +0 > . 1:1(0) ack 1 <sack 31:41,sack 11:21>
      +0 < . 51:61(10) ack 1 <TS val 1 ecr 0>
      +0 > . 1:1(0) ack 1 <sack 51:61,sack 31:41,sack 11:21>
      +0 < . 21:31(10) ack 1 <TS val 1 ecr 0>
      +0 > . 1:1(0) ack 1 <sack 11:41,sack 51:61>`);
  });
});

describe('the receive window', () => {
  const small = { config: { receiveBufferBytes: 1000, windowScaling: false } } as const;

  test('closes as the reader stops and opens with a segment of its own', () => {
    const script = TcpScript.established(small);
    script.isReading = false;
    script.play(`
      +0 < . 1:501(500) ack 1
      +0 > . 1:1(0) ack 501 win 500
      +0 < . 501:1001(500) ack 1
      +0 > . 1:1(0) ack 1001 win 0`);
    script.read(true);
    script.play('+0 > . 1:1(0) ack 1001 win 1000');
  });

  test('bytes outside are not taken, those inside are', () => {
    const script = TcpScript.established(small);
    script.isReading = false;
    script.play(`
      +0 < . 1:1201(1200) ack 1
      +0 > . 1:1(0) ack 1001 win 0`);
    script.read(true);
    expect(script.received).toHaveLength(1000);
    script.play('+0 > . 1:1(0) ack 1001 win 1000');
  });

  test('a segment wholly outside is answered and dropped', () => {
    const script = TcpScript.established(small);
    script.play(`
      +0 < . 1001:1101(100) ack 1
      +0 > . 1:1(0) ack 1 win 1000`);
    expect(script.stack.drops.count('tcp-out-of-window')).toBe(1);
  });

  test('a probe of a closed window is answered, its acknowledgement is taken', () => {
    const script = TcpScript.established(small);
    script.isReading = false;
    script.play('+0 < . 1:1001(1000) ack 1\n+0 > . 1:1(0) ack 1001 win 0');
    script.writeBytes(10);
    script.play(`
      +0 > P. 1:11(10) ack 1001
      +0 < . 1001:1002(1) ack 11
      +0 > . 11:11(0) ack 1001 win 0`);
    expect(script.established.info().sendQueueBytes).toBe(0);
  });

  test('never shrinks, and never grows by a sliver', () => {
    const script = TcpScript.established({
      config: { receiveBufferBytes: 4000, windowScaling: false },
    });
    script.isReading = false;
    script.play(`
      +0 < . 1:3901(3900) ack 1
      +0 > . 1:1(0) ack 3901 win 100
      +0 < . 3901:4001(100) ack 1
      +0 > . 1:1(0) ack 4001 win 0`);
    script.established.read();
    script.play('+0 > . 1:1(0) ack 4001 win 3900');
  });
});

describe('the peer’s window', () => {
  test('nothing beyond it is sent; its opening is asked for with probes that back off', () => {
    const script = TcpScript.established({}, 'mss 1460', 1000);
    script.writeBytes(3000);
    script.play(`
      +0 > . 1:1001(1000) ack 1
      +0 < . 1:1(0) ack 1001 win 0
      +0.2 > . 1000:1000(0) ack 1
      +0 < . 1:1(0) ack 1001 win 0
      +0.4 > . 1000:1000(0) ack 1
      +0 < . 1:1(0) ack 1001 win 0
      +0.8 > . 1000:1000(0) ack 1
      +0 < . 1:1(0) ack 1001 win 1460
      +0 > . 1001:2461(1460) ack 1`);
    expect(script.stack.tcp.counters.zeroWindowProbes).toBe(3);
  });

  test('probing goes on as long as it is answered, and ends when it is not', () => {
    const script = TcpScript.established({ config: { dataRetries: 3 } }, 'mss 1460', 1000);
    script.writeBytes(3000);
    script.play('+0 > . 1:1001(1000) ack 1\n+0 < . 1:1(0) ack 1001 win 0');
    for (const delay of [0.2, 0.4, 0.8, 1.6, 3.2, 6.4])
      script.play(`+${delay} > . 1000:1000(0) ack 1\n+0 < . 1:1(0) ack 1001 win 0`);
    script.play(`
      +12.8 > . 1000:1000(0) ack 1
      +25.6 > . 1000:1000(0) ack 1
      +51.2 > . 1000:1000(0) ack 1
      +102.4 > R. 1001:1001(0) ack 1`);
    expect(script.closed).toBe('timed-out');
  });

  test('a shrunken window stops new data and keeps the old alive', () => {
    const script = TcpScript.established({}, 'mss 1000', 3000);
    script.writeBytes(5000);
    script.play(`
      +0 > . 1:1001(1000) ack 1
      +0 > . 1001:2001(1000) ack 1
      +0 > . 2001:3001(1000) ack 1
      +0 < . 1:1(0) ack 1001 win 500
      +0.2 > . 1001:2001(1000) ack 1`);
    expect(script.established.info().sendQueueBytes).toBe(4000);
  });

  test('a small window is not filled with a sliver while more is outstanding', () => {
    const script = TcpScript.established({}, 'mss 1000', 2400);
    script.writeBytes(5000);
    script.play(`
      +0 > . 1:1001(1000) ack 1
      +0 > . 1001:2001(1000) ack 1
      +0.05 < . 1:1(0) ack 1001 win 2400
      +0 > . 2001:3001(1000) ack 1`);
  });

  test('an older segment does not bring its window back', () => {
    const script = TcpScript.established({}, 'mss 1000', 2000);
    script.play(`
      +0 < . 1:11(10) ack 1 win 5000
      +0 > . 1:1(0) ack 11
      +0 < . 1:1(0) ack 1 win 7
      +0 > . 1:1(0) ack 11`);
    expect(script.established.info().peerWindowBytes).toBe(5000);
  });
});

describe('Nagle’s algorithm', () => {
  test('one small segment at a time', () => {
    const script = TcpScript.established({ config: { noDelay: false } });
    script.write('a');
    script.play('+0 > P. 1:2(1) ack 1');
    script.write('b');
    script.play('+0 ~');
    script.write('c');
    script.play('+0 ~\n+0.01 < . 1:1(0) ack 2\n+0 > P. 2:4(2) ack 1');
  });

  test('a small one may follow full ones (Minshall)', () => {
    const script = TcpScript.established({ config: { noDelay: false } }, 'mss 1000');
    script.writeBytes(1100);
    script.play('+0 > . 1:1001(1000) ack 1\n+0 > P. 1001:1101(100) ack 1');
  });

  test('not with noDelay, nor before a FIN', () => {
    const script = TcpScript.established({ config: { noDelay: false } });
    script.write('a');
    script.play('+0 > P. 1:2(1) ack 1');
    script.write('b');
    script.play('+0 ~');
    script.established.setNoDelay(true);
    script.play('+0 > P. 2:3(1) ack 1');
    script.established.setNoDelay(false);
    script.write('c');
    script.established.end();
    script.play('+0 > FP. 3:4(1) ack 1');
  });
});

describe('without Nagle’s algorithm', () => {
  const server = (): TcpScript => TcpScript.established({ config: { noDelay: true } }, 'mss 1000');

  test('small segments do not wait for acknowledgements', () => {
    const script = server();
    for (let at = 1; at < 5; at += 1) {
      script.write('a');
      script.play(`+0 > P. ${at}:${at + 1}(1) ack 1`);
    }
  });

  test('what is left behind full segments waits a dispatch, for more to join it', () => {
    const script = server();
    script.writeBytes(1100);
    script.play('+0 > . 1:1001(1000) ack 1\n+0 > P. 1001:1101(100) ack 1');
    script.writeBytes(1100);
    script.input(new Uint8Array(0));
    script.writeBytes(950);
    script.play(`
      +0 > . 1101:2101(1000) ack 1
      +0 > . 2101:3101(1000) ack 1
      +0 > P. 3101:3151(50) ack 1`);
  });

  test('but not when it is the last', () => {
    const script = server();
    script.writeBytes(1100);
    script.established.end();
    script.input(new Uint8Array(0));
    script.play('+0 > . 1:1001(1000) ack 1\n+0 > FP. 1001:1101(100) ack 1');
  });
});

describe('timestamps (RFC 7323)', () => {
  const withTimestamps = (): TcpScript => {
    const script = TcpScript.server({ config: { timestamps: true } });
    script.play(`
      +0 < S 0:0(0) win 65535 <mss 1460,sackOK,TS val 1000 ecr 0>
      +0 > S. 0:0(0) ack 1 <TS ecr 1000>
      +0 < . 1:1(0) ack 1 <TS val 1001 ecr 0>`);
    return script;
  };

  test('an old segment is dropped and challenged (PAWS)', () => {
    const script = withTimestamps();
    script.play(`
      +0 < P. 1:6(5) ack 1 <TS val 999 ecr 0>
      +0 > . 1:1(0) ack 1 <TS ecr 1001>`);
    expect([script.receivedText(), script.stack.drops.count('tcp-paws')]).toEqual(['', 1]);
  });

  test('a reset is not judged by it', () => {
    const script = withTimestamps();
    script.play('+0 < R 1:1(0) <TS val 1 ecr 0>');
    expect(script.closed).toBe('reset');
  });

  test('after 24 days of silence the old timestamp counts no more', () => {
    const script = withTimestamps();
    script.now += 25 * 24 * 3600 * 1000;
    script.play(`
      +0 < P. 1:6(5) ack 1 <TS val 1 ecr 0>
      +0 > . 1:1(0) ack 6 <TS ecr 1>`);
  });

  test('what is echoed is the segment that was asked for, not one beyond a hole', () => {
    const script = withTimestamps();
    script.play(`
      +0 < P. 6:11(5) ack 1 <TS val 1005 ecr 0>
      +0 > . 1:1(0) ack 1 <TS ecr 1001,sack 6:11>
      +0 < P. 1:6(5) ack 1 <TS val 1006 ecr 0>
      +0 > . 1:1(0) ack 11 <TS ecr 1006>`);
  });

  test('a segment without them is dropped', () => {
    const script = withTimestamps();
    script.play('+0 < P. 1:6(5) ack 1\n+0 ~');
    expect(script.stack.drops.count('tcp-no-timestamp')).toBe(1);
  });
});

describe('keepalive', () => {
  const keepalive = { idleMs: 10_000, intervalMs: 1000, probes: 2 };

  test('off by default', () => {
    const script = TcpScript.established();
    script.play('+100000 ~');
  });

  test('asks an idle peer, and starts over when it answers', () => {
    const script = TcpScript.established({ config: { keepalive } });
    script.play(`
      +10 > . 0:0(0) ack 1
      +0 < . 1:1(0) ack 1
      +10 > . 0:0(0) ack 1
      +0 < . 1:1(0) ack 1`);
    expect(script.established.state).toBe('ESTABLISHED');
  });

  test('gives up a peer that does not', () => {
    const script = TcpScript.established({ config: { keepalive } });
    script.play(`
      +10 > . 0:0(0) ack 1
      +1 > . 0:0(0) ack 1
      +1 > R. 1:1(0) ack 1`);
    expect(script.closed).toBe('timed-out');
  });
});

describe('sockets', () => {
  test('a short write is told when there is room', () => {
    const script = TcpScript.established({ config: { sendBufferBytes: 4000 } }, 'mss 1000', 60_000);
    expect(script.writeBytes(5000)).toBe(4000);
    let writable = 0;
    script.established.setHandler({ writable: () => (writable += 1) });
    script.play(`
      +0 > . 1:1001(1000) ack 1
      +0 > . 1001:2001(1000) ack 1
      +0 > . 2001:3001(1000) ack 1
      +0 > P. 3001:4001(1000) ack 1
      +0 < . 1:1(0) ack 501
      +0 ~`);
    expect(writable).toBe(0);
    script.play('+0 < . 1:1(0) ack 4001');
    expect([writable, script.established.writableBytes]).toEqual([1, 4000]);
  });

  test('nothing can be written after end, nor after the connection is gone', () => {
    const script = TcpScript.established();
    script.established.end();
    expect(script.write('x')).toBe(0);
    script.play('+0 > F. 1:1(0) ack 1\n+0 < R 1:1(0)');
    expect([script.write('x'), script.established.writableBytes]).toEqual([0, 0]);
  });
});
