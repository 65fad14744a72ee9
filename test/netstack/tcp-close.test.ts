// Closing and resetting: RFC 9293 §3.6 and §3.10.7.4, RFC 5961, RFC 6191.
import { describe, expect, test } from 'vitest';
import { TcpScript } from './tcp-script.ts';

const state = (script: TcpScript): string => script.established.state;

describe('orderly end', () => {
  test('this side first: FIN-WAIT-1, FIN-WAIT-2, TIME-WAIT, gone after a minute', () => {
    const script = TcpScript.established();
    script.established.end();
    script.play('+0 > F. 1:1(0) ack 1');
    expect(state(script)).toBe('FIN-WAIT-1');
    script.play('+0 < . 1:1(0) ack 2');
    expect(state(script)).toBe('FIN-WAIT-2');
    script.play('+0 < F. 1:1(0) ack 2\n+0 > . 2:2(0) ack 2');
    expect(state(script)).toBe('TIME-WAIT');
    script.play('+59.9 ~');
    expect(script.closed).toBeUndefined();
    script.play('+0.1 ~');
    expect([script.closed, script.stack.tcp.connectionCount]).toEqual(['closed', 0]);
    expect(script.stack.pollAt()).toBe(Number.POSITIVE_INFINITY);
  });

  test('the peer first: CLOSE-WAIT, LAST-ACK, CLOSED', () => {
    const script = TcpScript.established();
    script.play('+0 < F. 1:1(0) ack 1\n+0 > . 1:1(0) ack 2');
    expect([state(script), script.established.isReadEnded]).toEqual(['CLOSE-WAIT', true]);
    script.established.end();
    script.play('+0 > F. 1:1(0) ack 2');
    expect(state(script)).toBe('LAST-ACK');
    script.play('+0 < . 2:2(0) ack 2');
    expect([state(script), script.closed]).toEqual(['CLOSED', 'closed']);
  });

  test('both at once: CLOSING, and the FIN is repeated until acknowledged', () => {
    const script = TcpScript.established();
    script.established.end();
    script.play(`
      +0 > F. 1:1(0) ack 1
      +0 < F. 1:1(0) ack 1
      +0 > . 2:2(0) ack 2`);
    expect(state(script)).toBe('CLOSING');
    script.play('+0.2 > F. 1:1(0) ack 2\n+0 < . 2:2(0) ack 2');
    expect(state(script)).toBe('TIME-WAIT');
  });

  test('half-closed: the other direction goes on', () => {
    const script = TcpScript.established();
    script.established.end();
    script.play(`
      +0 > F. 1:1(0) ack 1
      +0 < P. 1:6(5) ack 2
      +0 > . 2:2(0) ack 6`);
    expect([state(script), script.receivedText()]).toEqual(['FIN-WAIT-2', 'aaaaa']);
  });

  test('data and FIN in one segment, either way', () => {
    const script = TcpScript.established();
    script.write('bye');
    script.established.end();
    script.play(`
      +0 > FP. 1:4(3) ack 1
      +0 < FP. 1:3(2) ack 5
      +0 > . 5:5(0) ack 4`);
    expect([state(script), script.receivedText()]).toEqual(['TIME-WAIT', 'aa']);
  });

  test('a FIN ahead of a hole waits for it', () => {
    const script = TcpScript.established();
    script.play(`
      +0 < FP. 6:11(5) ack 1
      +0 > . 1:1(0) ack 1 <sack 6:11>
      +0 < . 1:6(5) ack 1
      +0 > . 1:1(0) ack 12`);
    expect(state(script)).toBe('CLOSE-WAIT');
    expect(script.receivedText()).toHaveLength(10);
  });

  test('a FIN beyond the window is not taken', () => {
    const script = TcpScript.established({
      config: { receiveBufferBytes: 1000, windowScaling: false },
    });
    script.isReading = false;
    script.play(`
      +0 < P. 1:1001(1000) ack 1
      +0 > . 1:1(0) ack 1001 win 0
      +0 < F. 1002:1002(0) ack 1
      +0 > . 1:1(0) ack 1001 win 0`);
    expect(state(script)).toBe('ESTABLISHED');
  });

  test('a retransmitted FIN in TIME-WAIT is acknowledged and starts the wait over', () => {
    const script = TcpScript.established();
    script.established.end();
    script.play(`
      +0 > F. 1:1(0) ack 1
      +0 < F. 1:1(0) ack 2
      +0 > . 2:2(0) ack 2
      +50 < F. 1:1(0) ack 2
      +0 > . 2:2(0) ack 2
      +50 ~`);
    expect(state(script)).toBe('TIME-WAIT');
  });

  test('what is acknowledged in LAST-ACK must be the FIN', () => {
    const script = TcpScript.established();
    script.play('+0 < F. 1:1(0) ack 1\n+0 > . 1:1(0) ack 2');
    script.established.end();
    script.play('+0 > F. 1:1(0) ack 2\n+0 < . 2:2(0) ack 1\n+0 ~');
    expect(state(script)).toBe('LAST-ACK');
  });

  test('an unanswered FIN is given up after fifteen repetitions', () => {
    const script = TcpScript.established({ config: { dataRetries: 2 } });
    script.established.end();
    script.play(`
      +0 > F. 1:1(0) ack 1
      +0.2 > F. 1:1(0) ack 1
      +0.4 > F. 1:1(0) ack 1
      +0.8 > R. 2:2(0) ack 1`);
    expect(script.closed).toBe('timed-out');
  });
});

describe('letting go', () => {
  test('close delivers what was written, then waits for the peer a minute', () => {
    const script = TcpScript.established();
    script.write('bye');
    script.established.close();
    script.play('+0 > FP. 1:4(3) ack 1\n+0 < . 1:1(0) ack 5');
    expect(state(script)).toBe('FIN-WAIT-2');
    script.play('+60 ~');
    expect(script.stack.tcp.connectionCount).toBe(0);
  });

  test('close with unread data resets', () => {
    const script = TcpScript.established();
    script.isReading = false;
    script.play('+0 < P. 1:6(5) ack 1\n+0 > . 1:1(0) ack 6');
    script.established.close();
    script.play('+0 > R. 1:1(0) ack 6');
    expect(script.stack.tcp.connectionCount).toBe(0);
  });

  test('data after close resets', () => {
    const script = TcpScript.established();
    script.established.close();
    script.play(`
      +0 > F. 1:1(0) ack 1
      +0 < P. 1:6(5) ack 2
      +0 > R. 2:2(0) ack 6`);
    expect(script.stack.drops.count('tcp-after-close')).toBe(1);
    expect(script.stack.tcp.connectionCount).toBe(0);
  });

  test('abort resets and frees', () => {
    const script = TcpScript.established();
    script.writeBytes(1000);
    script.established.abort();
    script.play('+0 > R. 1:1(0) ack 1');
    expect(script.closed).toBe('aborted');
    expect(script.established.info().sendQueueBytes).toBe(0);
  });

  test('abort before the handshake is silent', () => {
    const script = TcpScript.client();
    script.play('+0 > S 0:0(0)');
    script.established.abort();
    script.play('+0 ~');
    expect(script.closed).toBe('aborted');
  });

  test('an address that is taken away ends its connections without a word', () => {
    const script = TcpScript.established();
    script.stack.removeAddress(script.established.localAddress);
    script.play('+0 ~');
    expect(script.closed).toBe('address-removed');
    script.play('+0 < P. 1:6(5) ack 1\n+0 ~');
    expect(script.stack.drops.count('ipv4-not-local')).toBe(1);
  });
});

describe('resets and blind attacks (RFC 5961)', () => {
  test('the exact sequence number resets', () => {
    const script = TcpScript.established();
    script.play('+0 < R 1:1(0)\n+0 ~');
    expect(script.closed).toBe('reset');
  });

  test('one in the window is challenged, one outside is ignored', () => {
    const script = TcpScript.established();
    script.play(`
      +0 < R 100:100(0)
      +0 > . 1:1(0) ack 1
      +0 < R 2000000:2000000(0)
      +0 ~`);
    expect(state(script)).toBe('ESTABLISHED');
  });

  test('a SYN is challenged wherever it is', () => {
    const script = TcpScript.established();
    script.play(`
      +0 < S 1:1(0)
      +0 > . 1:1(0) ack 1
      +0 < S 3000000:3000000(0)
      +0 > . 1:1(0) ack 1`);
    expect(state(script)).toBe('ESTABLISHED');
  });

  test('challenges stop at ten a second, and begin again', () => {
    const script = TcpScript.established();
    for (let count = 0; count < 10; count += 1)
      script.play('+0 < R 100:100(0)\n+0 > . 1:1(0) ack 1');
    script.play('+0 < R 100:100(0)\n+0 ~');
    expect(script.stack.drops.count('tcp-challenged')).toBe(1);
    script.play('+0.1 < R 100:100(0)\n+0 > . 1:1(0) ack 1');
  });

  test('an ACK of data never sent, or of ages ago, is challenged and its data not taken', () => {
    const script = TcpScript.established({}, 'mss 1460,sackOK', 1000);
    script.play(`
      +0 < P. 1:6(5) ack 2
      +0 > . 1:1(0) ack 1`);
    expect(script.receivedText()).toBe('');
    expect(script.stack.drops.count('tcp-bad-ack')).toBe(1);
  });

  test('without ACK nothing is taken', () => {
    const script = TcpScript.established();
    script.play('+0 < P 1:6(5)\n+0 ~');
    expect(script.stack.drops.count('tcp-no-ack')).toBe(1);
  });

  test('TIME-WAIT ends by a reset', () => {
    const script = TcpScript.established();
    script.established.end();
    script.play(`
      +0 > F. 1:1(0) ack 1
      +0 < F. 1:1(0) ack 2
      +0 > . 2:2(0) ack 2
      +0 < R 2:2(0)`);
    expect(script.closed).toBe('closed');
  });
});

describe('reuse of TIME-WAIT (RFC 6191)', () => {
  const inTimeWait = (): TcpScript => {
    const script = TcpScript.established();
    script.established.end();
    script.play(`
      +0 > F. 1:1(0) ack 1
      +0 < F. 1:1(0) ack 2
      +0 > . 2:2(0) ack 2`);
    return script;
  };

  test('a SYN above everything received opens a new connection', () => {
    const script = inTimeWait();
    // The initial sequence number has moved by 250 a millisecond since.
    script.play(`
      +1 < S 5000:5000(0) win 65535 <mss 1460>
      +0 > S. 250000:250000(0) ack 5001`);
    expect(script.stack.tcp.sockets().map((socket) => socket.state)).toEqual(['SYN-RECEIVED']);
  });

  test('our own next connection may take its place after a second, with timestamps', () => {
    for (const [timestamps, seconds, kind] of [
      [true, 0.9, 'address-in-use'],
      [true, 1, 'connecting'],
      [false, 50, 'address-in-use'],
    ] as const) {
      const option = timestamps ? ' <TS val 9 ecr 0>' : '';
      const script = TcpScript.client({ config: { timestamps } });
      script.play(`
        +0 > S 0:0(0)
        +0 < S. 0:0(0) ack 1 win 512${option}
        +0 > . 1:1(0) ack 1`);
      script.established.end();
      script.play(`
        +0 > F. 1:1(0) ack 1
        +0 < F. 1:1(0) ack 2 win 512${option}
        +0 > . 2:2(0) ack 2
        +${seconds} ~`);
      const {
        localAddress: source,
        localPort: sourcePort,
        remoteAddress: address,
      } = script.established;
      const target = { source, sourcePort, address, port: 80 };
      expect(script.stack.tcp.connect(script.now, target, {}).kind).toBe(kind);
    }
  });

  test('an older one does not', () => {
    const script = inTimeWait();
    script.play('+1 < S 0:0(0) win 65535 <mss 1460>\n+0 > . 2:2(0) ack 2');
    expect(script.stack.tcp.sockets().map((socket) => socket.state)).toEqual(['TIME-WAIT']);
  });
});
