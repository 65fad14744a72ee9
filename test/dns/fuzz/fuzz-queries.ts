import { createSocket, type Socket } from 'node:dgram';
import { seededRandom, type Random } from '../../../src/base/random.ts';
import { RecordType } from '../../../src/dns/message/codes.ts';
import { decodeMessage } from '../../../src/dns/message/decode-message.ts';
import { encodeMessage, MAX_MESSAGE_BYTES } from '../../../src/dns/message/encode-message.ts';
import { queryFor } from '../../../src/dns/message/message.ts';

export interface FuzzReport {
  readonly sent: number;
  readonly replied: number;
  /** Queries, in hexadecimal, whose reply was longer than the client had allowed. */
  readonly tooLong: readonly string[];
  /** Probes in between that were not answered: the server hung. */
  readonly unanswered: number;
}

/** Queries under way; the socket's buffer holds them all. */
const WINDOW = 64;
/** How long a batch waits for replies that will not come: broken queries are dropped. */
const BATCH_WAIT_MS = 2;
const PROBE_EVERY = 4096;
const PROBE_TRIES = 3;
const PROBE_WAIT_MS = 2000;
const PROBE_ID = 0xffff;
const MIN_LIMIT_BYTES = 512;

const NAMES = [
  'svc1.testns.svc.cluster.local.',
  'big.testns.svc.cluster.local.',
  '_http._tcp.web.testns.svc.cluster.local.',
  'chain.testns.svc.cluster.local.',
  '10.0.1.10.in-addr.arpa.',
  'cluster.local.',
  '.',
];

/** Sends mutated queries over UDP and checks every reply. The seed makes the same queries again. */
export async function fuzzServer(options: {
  readonly port: number;
  readonly count: number;
  readonly seed: string;
}): Promise<FuzzReport> {
  const random = seededRandom(options.seed);
  const socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 20 });
  await new Promise<void>((resolve) => {
    socket.connect(options.port, '127.0.0.1', resolve);
  });
  const queries = new Map<number, Buffer>();
  const tooLong: string[] = [];
  let replied = 0;
  let probed: (() => void) | undefined;
  socket.on('message', (reply) => {
    const id = reply.readUInt16BE(0);
    if (id === PROBE_ID) probed?.();
    const query = queries.get(id);
    if (query === undefined) return;
    replied += 1;
    if (reply.length > limitOf(query)) tooLong.push(query.toString('hex'));
  });
  let unanswered = 0;
  for (let sent = 0; sent < options.count; sent += WINDOW) {
    for (let index = sent; index < Math.min(sent + WINDOW, options.count); index += 1) {
      const query = mutated(random, index % PROBE_ID);
      queries.set(index % PROBE_ID, query);
      socket.send(query);
    }
    await wait(BATCH_WAIT_MS);
    if (sent % PROBE_EVERY !== 0) continue;
    const answered = await probe(socket, (done) => {
      probed = done;
    });
    if (!answered) unanswered += 1;
  }
  await new Promise<void>((resolve) => {
    socket.close(() => resolve());
  });
  return { sent: options.count, replied, tooLong, unanswered };
}

/** A valid query with some of its bytes changed, cut, repeated or replaced. The id stays. */
function mutated(random: Random, id: number): Buffer {
  const name = NAMES[random.below(NAMES.length)] ?? '.';
  const types = Object.values(RecordType);
  const edns = {
    udpBytes: random.below(5000),
    version: 0,
    dnssecOk: random.below(2) === 0,
    options: [],
  };
  const query = queryFor(
    { name, type: types[random.below(types.length)] ?? RecordType.A },
    { id, ...(random.below(2) === 0 ? {} : { edns }) },
  );
  let bytes = encodeMessage(query, { maxBytes: MAX_MESSAGE_BYTES, compress: false }).bytes;
  for (let changes = random.below(6); changes > 0; changes -= 1) bytes = change(bytes, random);
  bytes.writeUInt16BE(id, 0);
  return bytes;
}

function change(bytes: Buffer, random: Random): Buffer {
  const at = 2 + random.below(Math.max(1, bytes.length - 2));
  switch (random.below(6)) {
    case 0:
      bytes[at] = random.below(256);
      return bytes;
    case 1:
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
      return bytes;
    case 2:
      return Buffer.from(bytes.subarray(0, Math.max(2, at)));
    case 3:
      return Buffer.concat([bytes, bytes.subarray(at)]).subarray(0, 1400);
    case 4:
      // A compression pointer to anywhere.
      return Buffer.concat([
        bytes.subarray(0, at),
        Buffer.from([0xc0, random.below(64)]),
        bytes.subarray(at),
      ]);
    default:
      return Buffer.concat([
        bytes.subarray(0, at),
        Buffer.from([random.below(256)]),
        bytes.subarray(at),
      ]);
  }
}

/** What the client can take: its EDNS size if the query says one that can be read. */
function limitOf(query: Buffer): number {
  try {
    return Math.max(MIN_LIMIT_BYTES, decodeMessage(query).edns?.udpBytes ?? 0);
  } catch {
    return MIN_LIMIT_BYTES;
  }
}

/** Asks as a resolver does, again when nothing comes: a datagram may be lost where the machine is busy. */
async function probe(socket: Socket, onAnswer: (done: () => void) => void): Promise<boolean> {
  for (let tries = 0; tries < PROBE_TRIES; tries += 1)
    if (await probeOnce(socket, onAnswer)) return true;
  return false;
}

function probeOnce(socket: Socket, onAnswer: (done: () => void) => void): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), PROBE_WAIT_MS);
    onAnswer(() => {
      clearTimeout(timer);
      resolve(true);
    });
    const query = queryFor({ name: NAMES[0] ?? '.', type: RecordType.A }, { id: PROBE_ID });
    socket.send(encodeMessage(query, { maxBytes: MAX_MESSAGE_BYTES, compress: false }).bytes);
  });
}

function wait(delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, delayMs);
  });
}
