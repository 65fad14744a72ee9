// Opening connections: RFC 9293 §3.5 and §3.10.7.2-3, RFC 5961, RFC 7323.
import { describe, expect, test } from 'vitest';
import { TcpScript } from './tcp-script.ts';

describe('passive open', () => {
  test('three segments, and the data behind them', () => {
    const script = TcpScript.server();
    script.play(`
      +0 < S 0:0(0) win 65535 <mss 1460,sackOK,wscale 7>
      +0 > S. 0:0(0) ack 1 <mss 1460,sackOK,wscale 5>
      +0 < . 1:1(0) ack 1 win 512
      +0 < P. 1:11(10) ack 1 win 512
      +0 > . 1:1(0) ack 11`);
    expect(script.established.state).toBe('ESTABLISHED');
    expect(script.receivedText()).toBe('a'.repeat(10));
    expect(script.established.info().windowShifts).toEqual([5, 7]);
  });

  test('options that were not offered are not answered', () => {
    const script = TcpScript.server({ config: { timestamps: true } });
    script.play(`
      +0 < S 0:0(0) win 65535
      +0 > S. 0:0(0) ack 1 win 65535 <mss 1460>`);
    const script2 = TcpScript.established({}, 'mss 1000', 500);
    expect(script2.established.info()).toMatchObject({
      hasSack: false,
      windowShifts: [0, 0],
      mssBytes: 1000,
    });
  });

  test('a SYN-ACK is repeated after 1, 2, 4 s ... and given up after five repetitions', () => {
    const script = TcpScript.server();
    script.play(`
      +0 < S 0:0(0) win 65535 <mss 1460>
      +0 > S. 0:0(0) ack 1
      +1 > S. 0:0(0) ack 1
      +2 > S. 0:0(0) ack 1
      +4 > S. 0:0(0) ack 1
      +8 > S. 0:0(0) ack 1
      +16 > S. 0:0(0) ack 1
      +40 ~`);
    expect(script.stack.tcp.connectionCount).toBe(0);
    expect(script.accepted).toEqual([]);
  });

  test('a repeated SYN is answered at once with the same SYN-ACK', () => {
    const script = TcpScript.server();
    script.play(`
      +0 < S 0:0(0) win 65535 <mss 1460>
      +0 > S. 0:0(0) ack 1
      +0.3 < S 0:0(0) win 65535 <mss 1460>
      +0 > S. 0:0(0) ack 1`);
  });

  test('a reset in SYN-RECEIVED frees the place in the backlog', () => {
    const script = TcpScript.server({ backlog: 1 });
    script.play(`
      +0 < S 0:0(0) win 65535 <mss 1460>
      +0 > S. 0:0(0) ack 1
      +0 < R 1:1(0)
      +0 ~
      +0 < S 0:0(0) win 65535 <mss 1460>
      +0 > S. 0:0(0) ack 1`);
    expect(script.stack.drops.count('tcp-backlog-full')).toBe(0);
  });

  test('an ACK of something never sent is answered with a reset, and the SYN-ACK stands', () => {
    const script = TcpScript.server();
    script.play(`
      +0 < S 0:0(0) win 65535 <mss 1460>
      +0 > S. 0:0(0) ack 1
      +0 < . 1:1(0) ack 5 win 512
      +0 > R 5:5(0)
      +0 < . 1:1(0) ack 1 win 512`);
    expect(script.established.state).toBe('ESTABLISHED');
  });

  test('beyond the backlog a SYN is dropped without a word', () => {
    const script = TcpScript.server({ backlog: 1 });
    script.play(`
      +0 < S 0:0(0) win 65535 <mss 1460>
      +0 > S. 0:0(0) ack 1`);
    const other = TcpScript.server({ backlog: 0 });
    other.play(`
      +0 < S 0:0(0) win 65535 <mss 1460>
      +0 ~`);
    expect(other.stack.drops.count('tcp-backlog-full')).toBe(1);
  });

  test('data on the third segment is delivered', () => {
    const script = TcpScript.server();
    script.play(`
      +0 < S 0:0(0) win 65535 <mss 1460>
      +0 > S. 0:0(0) ack 1
      +0 < P. 1:4(3) ack 1 win 512
      +0 > . 1:1(0) ack 4`);
    expect(script.receivedText()).toBe('aaa');
  });

  test('a listener for one address does not take another address', () => {
    const script = new TcpScript();
    script.stack.tcp.listen(0x0a00_0001, 80, { onConnection: () => undefined });
    script.play(`
      +0 < S 0:0(0) win 65535 <mss 1460>
      +0 > R. 0:0(0) ack 1`);
  });
});

describe('segments for nobody', () => {
  test.each([
    ['SYN', '< S 0:0(0) win 512', '> R. 0:0(0) ack 1'],
    ['SYN with data', '< S 0:5(5) win 512', '> R. 0:0(0) ack 6'],
    ['FIN', '< F 0:0(0) win 512', '> R. 0:0(0) ack 1'],
    ['no flags', '<  0:0(0) win 512', '> R. 0:0(0) ack 0'],
    ['ACK', '< . 0:0(0) ack 77 win 512', '> R 77:77(0)'],
    ['SYN-ACK', '< S. 0:0(0) ack 77 win 512', '> R 77:77(0)'],
    ['RST', '< R 0:0(0) win 512', '~'],
    ['RST with ACK', '< R. 0:0(0) ack 5 win 512', '~'],
  ])('%s to a closed port', (_, segment, answer) => {
    const script = new TcpScript();
    script.play(`+0 ${segment.replace('<  0', '< - 0')}\n+0 ${answer}`);
  });

  test.each([
    ['SYN+FIN', '< SF 0:0(0) win 512', '~'],
    ['SYN+RST', '< SR 0:0(0) win 512', '~'],
    ['FIN', '< F 0:0(0) win 512', '~'],
    ['no flags', '< - 0:0(0) win 512', '~'],
    ['FIN+PSH+URG', '< FPU 0:0(0) win 512', '~'],
    ['RST', '< R 0:0(0) win 512', '~'],
    ['ACK', '< . 0:0(0) ack 77 win 512', '> R 77:77(0)'],
  ])('%s to a listener, as Linux answers it', (_, segment, answer) => {
    const script = TcpScript.server();
    script.play(`+0 ${segment}\n+0 ${answer}`);
    expect(script.stack.tcp.connectionCount).toBe(0);
  });
});

describe('active open', () => {
  test('three segments', () => {
    const script = TcpScript.client();
    script.play(`
      +0 > S 0:0(0) win 65535 <mss 1460,sackOK,wscale 5>
      +0 < S. 0:0(0) ack 1 win 512 <mss 1400>
      +0 > . 1:1(0) ack 1`);
    expect(script.established.state).toBe('ESTABLISHED');
    expect(script.established.info()).toMatchObject({ hasSack: false, windowShifts: [0, 0] });
  });

  test('data written before the handshake follows it', () => {
    const script = TcpScript.client();
    script.write('hello');
    script.established.end();
    script.play(`
      +0 > S 0:0(0)
      +0 < S. 0:0(0) ack 1 win 512 <mss 1400>
      +0 > FP. 1:6(5) ack 1`);
    expect(script.established.state).toBe('FIN-WAIT-1');
  });

  test('a SYN is repeated six times, then the attempt times out', () => {
    const script = TcpScript.client();
    script.play(`
      +0 > S 0:0(0)
      +1 > S 0:0(0)
      +2 > S 0:0(0)
      +4 > S 0:0(0)
      +8 > S 0:0(0)
      +16 > S 0:0(0)
      +32 > S 0:0(0)
      +64 ~`);
    expect(script.closed).toBe('timed-out');
    expect(script.stack.pollAt()).toBe(Number.POSITIVE_INFINITY);
  });

  test('a reset with a good ACK refuses, without one it is ignored', () => {
    const script = TcpScript.client();
    script.play(`
      +0 > S 0:0(0)
      +0 < R 0:0(0)
      +0 < R. 0:0(0) ack 7
      +0 ~`);
    expect(script.established.state).toBe('SYN-SENT');
    script.play('+0 < R. 0:0(0) ack 1');
    expect(script.closed).toBe('refused');
  });

  test('a SYN-ACK of another sequence number is reset, and the attempt goes on', () => {
    const script = TcpScript.client();
    script.play(`
      +0 > S 0:0(0)
      +0 < S. 0:0(0) ack 9 win 512
      +0 > R 9:9(0)
      +0 < S. 0:0(0) ack 1 win 512
      +0 > . 1:1(0) ack 1`);
  });

  test('an ACK without SYN does not open', () => {
    const script = TcpScript.client();
    script.play(`
      +0 > S 0:0(0)
      +0 < . 1:1(0) ack 1 win 512
      +0 ~`);
    expect(script.established.state).toBe('SYN-SENT');
  });

  test('simultaneous open', () => {
    const script = TcpScript.client();
    script.play(`
      +0 > S 0:0(0)
      +0 < S 0:0(0) win 512 <mss 1460>
      +0 > S. 0:0(0) ack 1
      +0 < . 1:1(0) ack 1 win 512`);
    expect(script.established.state).toBe('ESTABLISHED');
  });

  test('a reset after a simultaneous open refuses', () => {
    const script = TcpScript.client();
    script.play(`
      +0 > S 0:0(0)
      +0 < S 0:0(0) win 512 <mss 1460>
      +0 > S. 0:0(0) ack 1
      +0 < R 1:1(0)`);
    expect(script.closed).toBe('refused');
  });

  test('data on the SYN-ACK is delivered', () => {
    const script = TcpScript.client();
    script.play(`
      +0 > S 0:0(0)
      +0 < SP. 0:3(3) ack 1 win 512
      +0 > . 1:1(0) ack 4`);
    expect(script.receivedText()).toBe('aaa');
  });
});

describe('segment size', () => {
  test.each([
    ['none', 'sackOK', 536],
    ['0', 'mss 0', 536],
    ['a tiny one', 'mss 1', 88],
    ['the usual one', 'mss 1460', 1460],
    ['more than the link takes', 'mss 9000', 1460],
  ])('a peer that offers %s', (_, options, mssBytes) => {
    const script = TcpScript.established({}, options);
    expect(script.established.info().mssBytes).toBe(mssBytes);
    script.writeBytes(mssBytes + 1);
    script.play(`
      +0 > . 1:${1 + mssBytes}(${mssBytes}) ack 1
      +0 > P. ${1 + mssBytes}:${2 + mssBytes}(1) ack 1`);
  });

  test('timestamps take twelve bytes of it', () => {
    const script = TcpScript.server({ config: { timestamps: true } });
    script.play(`
      +0 < S 0:0(0) win 65535 <mss 1460,TS val 7 ecr 0>
      +0 > S. 0:0(0) ack 1 <TS ecr 7>
      +0 < . 1:1(0) ack 1 win 512 <TS val 8 ecr 0>`);
    expect(script.established.info().mssBytes).toBe(1448);
  });
});
