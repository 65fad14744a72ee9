import type { SocketAddress } from '../../flow.ts';
import { ListenError } from '../engine.ts';
import { BACKLOG } from '../stream-end.ts';
import {
  IPPROTO_TCP,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SOL_SOCKET,
  TCP_NODELAY,
} from '../../../base/linux/abi.ts';
import { decodeSockaddr, encodeSockaddr } from '../../../base/linux/sockaddr.ts';
import { errnoError, type SystemCalls } from '../../../base/linux/system-calls.ts';
import type { TcpSockets } from './tcp-sockets.ts';

export interface ListeningSockets {
  /** One a thread; the caller's. */
  readonly fds: readonly number[];
  readonly local: SocketAddress;
}

/**
 * Binds `count` sockets to one address, among which the kernel shares out the clients (SO_REUSEPORT). Throws a
 * {@link ListenError}, with nothing left open.
 *
 * The first is bound without that option, and given it only then. So an address that any other socket has is taken, even
 * one of another process like this, whose clients we would otherwise share unasked.
 */
export function openListeningSockets(
  tools: { readonly calls: SystemCalls; readonly sockets: TcpSockets },
  { address, port }: SocketAddress,
  count: number,
): ListeningSockets {
  const { calls, sockets } = tools;
  const fds: number[] = [];
  let local = { address, port };
  const check = (result: number): number => {
    if (result >= 0) return result;
    for (const fd of fds) calls.close(fd);
    const cause = errnoError(-result, 'listen');
    throw new ListenError(cause.code, { address, port }, { cause });
  };
  const bytes = new Uint8Array(sockets.sockaddr.buffer);
  while (fds.length < count) {
    const first = fds.length === 0;
    encodeSockaddr(local, bytes);
    const fd = check(sockets.open());
    fds.push(fd);
    sockets.enable(fd, SOL_SOCKET, SO_REUSEADDR);
    sockets.enable(fd, IPPROTO_TCP, TCP_NODELAY);
    if (!first) sockets.enable(fd, SOL_SOCKET, SO_REUSEPORT);
    check(sockets.bind(fd));
    if (first && count > 1) sockets.enable(fd, SOL_SOCKET, SO_REUSEPORT);
    check(sockets.localAddress(fd));
    local = { address, port: decodeSockaddr(bytes).port };
  }
  // Only now: a client that came before the others listen would be the first one's in any case.
  for (const fd of fds) check(sockets.listen(fd, BACKLOG));
  return { fds, local };
}
