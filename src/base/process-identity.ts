import { readFile } from 'node:fs/promises';
import { errorCode } from './errors.ts';

/** A process that may have ended since, told apart from a later one with its number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** When it started, in a unit of the system's; empty or absent where that is not known. */
  readonly start: string | undefined;
}

/** The process's identity as text, to be read back by {@link parseIdentity}. */
export async function ownIdentity(): Promise<string> {
  return `${process.pid} ${await startOf(process.pid)}`;
}

/** Process 0, which is no process, for text that is no identity. */
export function parseIdentity(text: string): ProcessIdentity {
  const [pid = '', start] = text.split(' ');
  return { pid: /^\d{1,10}$/.test(pid) ? Number(pid) : 0, start };
}

/** Whether another process of that identity runs; never for this one's own number. */
export async function isOtherAlive({ pid, start }: ProcessIdentity): Promise<boolean> {
  if (pid <= 0 || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (errorCode(error) !== 'EPERM') return false;
  }
  return (start ?? '') === '' || start === (await startOf(pid));
}

/** proc(5), field 22 of stat; empty where there is no /proc. */
async function startOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The name, in brackets, may hold anything.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}
