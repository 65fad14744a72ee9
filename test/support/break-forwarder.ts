import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import koffi from 'koffi';
import { AF_INET, SOCK_STREAM } from '../../src/base/linux/abi.ts';
import { loadLinux } from '../../src/base/linux/system-calls.ts';

type DupTo = (from: number, to: number) => number;

/** What a forwarding thread waits on: of epolls the one that watches the thread's bell, whose key is -1. */
const WAITS_ON: Readonly<Record<'epoll' | 'uring', { link: string; info: RegExp }>> = {
  epoll: { link: 'anon_inode:[eventpoll]', info: /data: +ffffffff\b/ },
  uring: { link: 'anon_inode:[io_uring]', info: /./ },
};

/**
 * Puts a socket in the place of what one forwarding thread of this process waits on: once it is woken, its next wait
 * fails and it dies.
 */
export function breakForwarder(engine: 'epoll' | 'uring'): void {
  const { link, info } = WAITS_ON[engine];
  const victim = readdirSync('/proc/self/fd').find((fd) => {
    try {
      const matches = readlinkSync(`/proc/self/fd/${fd}`) === link;
      return matches && info.test(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'));
    } catch {
      // Closed since it was listed.
      return false;
    }
  });
  if (victim === undefined) throw new Error(`no thread waits on an ${link}`);
  const { calls } = loadLinux();
  const decoy = calls.socket(AF_INET, SOCK_STREAM, 0);
  const dup2 = koffi.load(null).func('int dup2(int from, int to)') as DupTo;
  dup2(decoy, Number(victim));
  calls.close(decoy);
}
