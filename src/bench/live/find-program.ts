import { spawnSync } from 'node:child_process';

/** Servers and tools of administrators are where the PATH of a user often does not look. */
const SCRIPT = 'PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin command -v "$1"';

/** The path of a program of this machine; undefined where it is not installed. */
export function findProgram(name: string): string | undefined {
  const { status, stdout } = spawnSync('sh', ['-c', SCRIPT, 'sh', name], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}
