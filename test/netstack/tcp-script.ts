import { seededRandom } from '../../src/base/random.ts';
import type { NetInterface } from '../../src/netstack/ip/net-interface.ts';
import { Stack } from '../../src/netstack/stack.ts';
import type { TcpConfig } from '../../src/netstack/tcp/tcp-config.ts';
import type { CloseReason } from '../../src/netstack/tcp/tcp-connection.ts';
import type { TcpSocket } from '../../src/netstack/tcp/tcp-socket.ts';
import { TcpFlag, type TcpHeader } from '../../src/wire/tcp.ts';
import { parseTcp, PEER_IP, PEER_MAC, STACK_IP, STACK_MAC, tcpFrame } from './frames.ts';

export const SERVER_PORT = 80;
export const PEER_PORT = 40_000;

export interface ScriptOptions {
  readonly config?: Partial<TcpConfig>;
  readonly mtuBytes?: number;
  readonly backlog?: number;
  /** The peer's initial sequence number: put it near 2^32 or 2^31 to cross a border. */
  readonly peerIsn?: number;
  readonly seed?: string;
}

interface Sent {
  readonly at: number;
  readonly text: string;
  readonly tcp: TcpHeader;
  readonly payload: Uint8Array;
}

/**
 * A hand-driven peer of one stack, in virtual time, with packetdrill's notation for segments:
 *
 *     +0    < S 0:0(0) win 65535 <mss 1460,sackOK>
 *     +0    > S. 0:0(0) ack 1
 *     +0.2  > . 1:1(0) ack 11
 *
 * `<` is put into the stack, `>` must come out of it at that moment, `~` says that nothing does. Sequence
 * numbers are relative to the initial ones, times to the line before, in seconds. On `>` what is not
 * written (win, options) is not compared. Timestamps are off unless asked for.
 */
export class TcpScript {
  readonly stack: Stack;
  readonly netInterface: NetInterface;
  readonly received: number[] = [];
  readonly accepted: TcpSocket[] = [];
  socket: TcpSocket | undefined;
  isReading = true;
  closed: CloseReason | undefined;
  now = 0;
  readonly #peerIsn: number;
  readonly #backlog: number;
  readonly #sent: Sent[] = [];
  #stackIsn: number | undefined;
  #stackPort = SERVER_PORT;
  #peerPort = PEER_PORT;

  constructor(options: ScriptOptions = {}) {
    this.#peerIsn = options.peerIsn ?? 1000;
    this.#backlog = options.backlog ?? 16;
    this.stack = new Stack({
      random: seededRandom(options.seed ?? 'script'),
      tcp: { timestamps: false, noDelay: true, ...options.config },
    });
    const mtuBytes = options.mtuBytes ?? 1500;
    this.netInterface = this.stack.addInterface({ name: 'eth0', mac: STACK_MAC, mtuBytes });
    this.stack.addAddress(STACK_IP);
    this.stack.neighbours.setPermanent(this.netInterface, PEER_IP, PEER_MAC);
    this.stack.fib.replace({
      destination: { family: 'IPv4', base: 0xc000_0200, prefixLength: 24 },
      netInterface: this.netInterface,
    });
  }

  /** A listener on port 80. */
  static server(options: ScriptOptions = {}): TcpScript {
    const script = new TcpScript(options);
    script.stack.tcp.listen(0, SERVER_PORT, {
      backlog: script.#backlog,
      onConnection: (socket) => {
        script.accepted.push(socket);
        script.#adopt(socket);
      },
    });
    return script;
  }

  /** A connection to the peer's port 80 that was just asked for. */
  static client(options: ScriptOptions = {}): TcpScript {
    const script = new TcpScript(options);
    const target = { source: STACK_IP, address: PEER_IP, port: SERVER_PORT, sourcePort: 4000 };
    const outcome = script.stack.tcp.connect(0, target, {});
    if (outcome.kind !== 'connecting') throw new Error(outcome.kind);
    script.#peerPort = SERVER_PORT;
    script.#stackPort = 4000;
    script.#adopt(outcome.socket);
    return script;
  }

  /** A server with one connection; the peer's SYN carries `options` and its window field is not scaled. */
  static established(
    options: ScriptOptions = {},
    synOptions = 'mss 1460,sackOK',
    windowBytes = 65_535,
  ): TcpScript {
    const script = TcpScript.server(options);
    script.play(`
      +0 < S 0:0(0) win ${windowBytes} <${synOptions}>
      +0 > S. 0:0(0) ack 1
      +0 < . 1:1(0) ack 1 win ${windowBytes}`);
    return script;
  }

  get established(): TcpSocket {
    if (this.socket === undefined) throw new Error('no connection');
    return this.socket;
  }

  write(text: string): number {
    return this.established.write(Buffer.from(text));
  }

  writeBytes(bytes: number): number {
    return this.established.write(new Uint8Array(bytes).fill(120));
  }

  receivedText(): string {
    return Buffer.from(this.received).toString();
  }

  play(text: string): void {
    this.#dispatch();
    for (const line of text.split('\n')) if (line.trim() !== '') this.#playLine(line.trim());
    const extra = this.#sent.shift();
    if (extra !== undefined) throw new Error(`not in the script: > ${extra.text}`);
  }

  /** Puts any frame in. */
  input(frame: Uint8Array): void {
    this.stack.process(this.now, this.netInterface, frame);
    this.#dispatch();
  }

  /** The absolute form of a sequence number of the stack's. */
  stackSeq(relative: number): number {
    return ((this.#stackIsn ?? 0) + relative) >>> 0;
  }

  #playLine(line: string): void {
    const match = /^\+(\d+(?:\.\d+)?)\s*([<>~])\s*(.*)$/.exec(line);
    if (match === null) throw new Error(`cannot read: ${line}`);
    const [, seconds, direction, rest] = match;
    this.#advance(Number(seconds) * 1000);
    if (direction === '<') this.#inject(rest ?? '');
    else if (direction === '>') this.#expect(rest ?? '', line);
    else if (this.#sent[0] !== undefined) throw new Error(`${line}: got > ${this.#sent[0].text}`);
  }

  #advance(byMs: number): void {
    const until = this.now + byMs;
    for (let at = this.stack.pollAt(); at <= until; at = this.stack.pollAt()) {
      this.now = Math.max(this.now, at);
      this.#dispatch();
    }
    this.now = until;
  }

  #dispatch(): void {
    this.stack.dispatch(this.now, (_, packet) => this.#capture(packet));
  }

  #capture(packet: Uint8Array): void {
    const parsed = parseTcp(packet);
    if (parsed === undefined) return;
    const { tcp, payload } = parsed;
    if ((tcp.flags & TcpFlag.syn) !== 0) this.#stackIsn ??= tcp.seq;
    this.#sent.push({ at: this.now, text: this.#describe(tcp, payload.length), tcp, payload });
  }

  #inject(text: string): void {
    const { header, payloadBytes } = this.#parse(text);
    this.input(tcpFrame(header, new Uint8Array(payloadBytes).fill(97)));
  }

  #expect(text: string, line: string): void {
    const sent = this.#sent.shift();
    if (sent === undefined) throw new Error(`${line}: nothing was sent`);
    if (this.now - sent.at > 1) throw new Error(`${line}: was sent at ${sent.at} ms: ${sent.text}`);
    const wanted = normalise(text);
    const got = normalise(sent.text);
    const isSame =
      wanted.segment === got.segment &&
      (wanted.window === undefined || wanted.window === got.window) &&
      wanted.options.every((option) => got.options.includes(option));
    if (!isSame) throw new Error(`${line}: got > ${sent.text}`);
  }

  #describe(tcp: TcpHeader, payloadBytes: number): string {
    const isReset = (tcp.flags & TcpFlag.rst) !== 0;
    const seq = (tcp.seq - (this.#stackIsn ?? (isReset ? 0 : tcp.seq))) >>> 0;
    const options: string[] = [];
    if (tcp.mss > 0) options.push(`mss ${tcp.mss}`);
    if (tcp.sackPermitted) options.push('sackOK');
    if (tcp.windowScale >= 0) options.push(`wscale ${tcp.windowScale}`);
    if (tcp.hasTimestamps) options.push(`TS ecr ${tcp.timestampEcho}`);
    for (let block = 0; block < tcp.sackCount; block += 1) {
      const [left, right] = tcp.sackEdges.subarray(2 * block, 2 * block + 2);
      options.push(`sack ${this.#fromPeer(left ?? 0)}:${this.#fromPeer(right ?? 0)}`);
    }
    const ack = (tcp.flags & TcpFlag.ack) === 0 ? '' : ` ack ${this.#fromPeer(tcp.ack)}`;
    return (
      `${flagsText(tcp.flags)} ${seq}:${seq + payloadBytes}(${payloadBytes})${ack} win ${tcp.window}` +
      (options.length === 0 ? '' : ` <${options.join(',')}>`)
    );
  }

  #fromPeer(seq: number): number {
    return (seq - this.#peerIsn) >>> 0;
  }

  #parse(text: string): { header: Partial<TcpHeader>; payloadBytes: number } {
    const match = /^(\S+) (\d+):\d+\((\d+)\)(?: ack (\d+))?(?: win (\d+))?(?: <(.*)>)?$/.exec(text);
    if (match === null) throw new Error(`cannot read: ${text}`);
    const [, flags, seq, payload, ack, window, options] = match;
    return {
      header: {
        sourcePort: this.#peerPort,
        destinationPort: this.#stackPort,
        flags: flagBits(flags ?? ''),
        seq: (this.#peerIsn + Number(seq)) >>> 0,
        ack: ack === undefined ? 0 : this.stackSeq(Number(ack)),
        window: Number(window ?? 65_535),
        ...this.#parseOptions(options ?? ''),
      },
      payloadBytes: Number(payload),
    };
  }

  #parseOptions(text: string): Partial<TcpHeader> {
    const sackEdges = new Uint32Array(8);
    let edges = 0;
    const header: { -readonly [Key in keyof TcpHeader]?: TcpHeader[Key] } = {};
    for (const option of text.split(',').filter((part) => part !== '')) {
      const [name, first, , , echo] = option.split(' ');
      if (name === 'mss') header.mss = Number(first);
      else if (name === 'sackOK') header.sackPermitted = true;
      else if (name === 'wscale') header.windowScale = Number(first);
      else if (name === 'TS') {
        // TS val 1 ecr 2
        header.hasTimestamps = true;
        header.timestampValue = Number(option.split(' ')[2]);
        header.timestampEcho = Number(echo);
      } else if (name === 'sack') {
        for (const edge of (first ?? '').split(':'))
          sackEdges[edges++] = this.stackSeq(Number(edge));
      } else throw new Error(`unknown option ${option}`);
    }
    return { ...header, sackCount: edges / 2, sackEdges };
  }

  #adopt(socket: TcpSocket): void {
    this.socket = socket;
    socket.setHandler({
      readable: () => this.read(),
      closed: (reason) => {
        this.closed = reason;
      },
    });
  }

  /** Takes what is there, unless the reader was told to be slow. */
  read(isForced = false): void {
    if (!this.isReading && !isForced) return;
    for (let chunk = this.socket?.read(); chunk !== undefined; chunk = this.socket?.read())
      for (const byte of chunk) this.received.push(byte);
  }
}

const LETTERS: readonly (readonly [number, string])[] = [
  [TcpFlag.fin, 'F'],
  [TcpFlag.syn, 'S'],
  [TcpFlag.rst, 'R'],
  [TcpFlag.psh, 'P'],
  [TcpFlag.ack, '.'],
  [TcpFlag.urg, 'U'],
];

function flagsText(flags: number): string {
  return LETTERS.filter(([bit]) => (flags & bit) !== 0)
    .map(([, letter]) => letter)
    .join('');
}

function flagBits(text: string): number {
  return LETTERS.filter(([, letter]) => text.includes(letter)).reduce((sum, [bit]) => sum | bit, 0);
}

function normalise(text: string): {
  segment: string;
  window: string | undefined;
  options: string[];
} {
  const options = /<(.*)>/.exec(text)?.[1]?.split(',') ?? [];
  const withoutOptions = text.replace(/ ?<.*>/, '');
  const window = / win (\d+)/.exec(withoutOptions)?.[1];
  return { segment: withoutOptions.replace(/ win \d+/, '').trim(), window, options };
}
