// A process whose io_uring_setup fails with the errno that is its argument, as under a container's seccomp profile.
// Prints what choosing the engine `uring` comes to there, as JSON.
import { createRequire } from 'node:module';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { systemClock } from '../../../src/base/clock.ts';
import { createEngine } from '../../../src/proxy/engine/create-engine.ts';
import { SYS_IO_URING_SETUP } from '../../../src/proxy/engine/linux/ring-abi.ts';
import { loadLinux } from '../../../src/base/linux/system-calls.ts';

// include/uapi/linux/prctl.h, seccomp.h, bpf_common.h
const PR_SET_SECCOMP = 22;
const PR_SET_NO_NEW_PRIVS = 38;
const SECCOMP_MODE_FILTER = 2;
const SECCOMP_RET_ERRNO = 0x00050000;
const SECCOMP_RET_ALLOW = 0x7fff0000;
const LOAD_NUMBER = [0x20, 0, 0, 0] as const;
const JUMP_IF_EQUAL = 0x15;
const RETURN = 0x06;

interface Koffi {
  load(path: null): { func(definition: string): (...values: number[]) => number };
}

refuse(Number(process.argv[2]));
const complaints: string[] = [];
const engine = createEngine({
  clock: systemClock,
  choice: 'uring',
  onFallback: (reason) => complaints.push(reason),
});
const server = createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1');
await once(server, 'listening');
const bound = server.address();
const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
const { local } = await engine.listen({
  address: '127.0.0.1',
  port: 0,
  route: () => ({ kind: 'dial', address: '127.0.0.1', port }),
});
const client = connect(local.port, '127.0.0.1');
client.end('through');
const [echo] = (await once(client, 'data')) as [Buffer];
server.close();
await engine.close();
process.stdout.write(JSON.stringify({ engine: engine.name, echo: echo.toString(), complaints }));

/** Must come before the forwarding thread is made: threads inherit the filter. */
function refuse(errno: number): void {
  const linux = loadLinux();
  // struct sock_filter { __u16 code; __u8 jt, jf; __u32 k; }, four of them, then struct sock_fprog.
  const memory = linux.map(64);
  const view = new DataView(memory.buffer);
  const program = [
    LOAD_NUMBER,
    [JUMP_IF_EQUAL, 0, 1, SYS_IO_URING_SETUP],
    [RETURN, 0, 0, SECCOMP_RET_ERRNO | errno],
    [RETURN, 0, 0, SECCOMP_RET_ALLOW],
  ];
  for (const [index, [code = 0, yes = 0, no = 0, value = 0]] of program.entries()) {
    view.setUint16(index * 8, code, true);
    view.setUint8(index * 8 + 2, yes);
    view.setUint8(index * 8 + 3, no);
    view.setUint32(index * 8 + 4, value, true);
  }
  view.setUint16(32, program.length, true);
  view.setBigUint64(40, BigInt(memory.address), true);
  const koffi = createRequire(import.meta.url)('koffi') as Koffi;
  const prctl = koffi
    .load(null)
    .func('int prctl(int option, int64_t a, int64_t b, int64_t c, int64_t d)');
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) !== 0) throw new Error('no_new_privs was refused');
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, memory.address + 32, 0, 0) !== 0)
    throw new Error('the seccomp filter was refused');
}
