import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

/** Below the ports that other tests name and those of node ports. */
const FIRST = 10_000;
const COUNT = 10_000;
const MAX_TRIES = 200;

const given = new Set<number>();

/**
 * A port of 127.0.0.1 that is free now for TCP and UDP, never the same twice. Not one that the kernel gives to outgoing
 * connections: another process could have it before it is used, or, where a server is away for a moment, a client of
 * that very server, which would then be connected to itself.
 */
export async function freePort(): Promise<number> {
  for (let tried = 0; tried < MAX_TRIES; tried += 1) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    if (given.has(port) || isEphemeral(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
  throw new Error(`no free port from ${FIRST} to ${FIRST + COUNT - 1}`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1');
  const socket = createSocket('udp4').bind(port, '127.0.0.1');
  const outcomes = await Promise.allSettled([
    once(server, 'listening').finally(() => server.close()),
    once(socket, 'listening').finally(() => socket.close()),
  ]);
  return outcomes.every(({ status }) => status === 'fulfilled');
}

/** ip(7): net.ipv4.ip_local_port_range. */
function isEphemeral(port: number): boolean {
  try {
    const text = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8');
    const [first = 0, last = 0] = text.trim().split(/\s+/).map(Number);
    // A machine whose range is all of them leaves no choice.
    return first >= FIRST && port >= first && port <= last;
  } catch {
    return false;
  }
}
