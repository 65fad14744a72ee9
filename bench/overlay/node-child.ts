// One overlay node as a process of its own: argv[2] is the NodeSettings as JSON. Each message asks for a transfer, or for
// the CPU time used so far; each is answered. Its pod echoes on a port of its own, and two ports forward to the other
// node's: one dials it, one goes through the overlay.
import { once } from 'node:events';
import { connect, createServer, type Server } from 'node:net';
import { splice } from '../../src/overlay/splice.ts';
import {
  ECHO_PORT,
  echoServerPort,
  type NodeSettings,
  openNode,
  podOf,
  transfer,
} from './transfer.ts';

export type Request =
  | {
      readonly kind: 'transfer';
      readonly to: string;
      readonly flows: number;
      readonly bytes: number;
    }
  | { readonly kind: 'cpu' };

const settings = JSON.parse(process.argv[2] ?? '') as NodeSettings;
const { index, forwardPorts } = settings;
const node = await openNode(settings);
const other = podOf(3 - index);
const echo = createServer({ noDelay: true }, (socket) => {
  // The client leaves without a word.
  socket.on('error', () => undefined);
  socket.pipe(socket);
});
const direct = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
  const target = { host: other, port: echoServerPort(3 - index) };
  splice(socket, connect({ ...target, noDelay: true, allowHalfOpen: true }), () => undefined);
});
const overlay = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
  const target = { sourceAddress: podOf(index), address: other, port: ECHO_PORT };
  splice(socket, node.connect(target), () => undefined);
});
await Promise.all([
  listen(echo, echoServerPort(index)),
  listen(direct, forwardPorts.direct),
  listen(overlay, forwardPorts.overlay),
]);

process.on('message', (request: Request) => {
  if (request.kind === 'cpu') {
    const { user, system } = process.cpuUsage();
    process.send?.({ cpuMicros: user + system });
    return;
  }
  void transfer(node, request.to, request.flows, request.bytes).then(() => process.send?.({}));
});
process.on('disconnect', () => process.exit());
// Not before everything listens: a forward to a port that is not there yet is reset.
process.send?.({});

async function listen(server: Server, port: number): Promise<void> {
  server.listen(port, podOf(index));
  await once(server, 'listening');
}
