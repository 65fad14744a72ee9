import { createSocket } from 'node:dgram';
import { RecordType } from '../../src/dns/message/codes.ts';
import { encodeMessage } from '../../src/dns/message/encode-message.ts';
import { queryFor } from '../../src/dns/message/message.ts';

const RETRY_MS = 100;
const GIVE_UP_AFTER = 300;

/** Resolves once a server on loopback answers for `name` over UDP. */
export async function answering(port: number, name: string): Promise<void> {
  const query = queryFor({ name: `${name}.`, type: RecordType.A }, { id: 1 });
  const { bytes } = encodeMessage(query, { maxBytes: 512, compress: false });
  const socket = createSocket('udp4');
  // Nobody listens yet: an ICMP message says so.
  socket.on('error', () => undefined);
  const answered = new Promise<true>((resolve) => {
    socket.once('message', () => resolve(true));
  });
  for (let tries = 0; tries < GIVE_UP_AFTER; tries += 1) {
    socket.send(bytes, port, '127.0.0.1');
    const pause = new Promise<false>((resolve) => {
      setTimeout(() => resolve(false), RETRY_MS);
    });
    if (await Promise.race([answered, pause])) {
      socket.close();
      return;
    }
  }
  socket.close();
  throw new Error(`nobody answers at port ${port}`);
}
