import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

/**
 * Reads `+ PID` and `- PID`; when its input ends, every process group it still knows is killed. Its input
 * ends with whoever writes to it, even where that is killed without a chance to clean up.
 */
const SCRIPT = `
known=' '
while read -r sign pid; do
  case $sign in
    +) known="$known$pid " ;;
    -) known=\${known%% "$pid" *}' '\${known#* "$pid" } ;;
  esac
done
for pid in $known; do kill -s KILL -- "-$pid" 2>/dev/null; done
`;

/**
 * Ends process groups when this process ends without doing so itself (SIGKILL, a crash). One small shell in
 * a session of its own, there only while there is something to watch.
 */
export class ProcessWatchdog {
  readonly #watched = new Set<number>();
  #shell: ChildProcess | undefined;

  /** The leader of a process group that is to end with this process. */
  add(pid: number): void {
    this.#watched.add(pid);
    this.#shell ??= startShell();
    this.#shell.stdin?.write(`+ ${pid}\n`);
  }

  /** The group is gone. Resolves when nothing is left to watch and the shell has ended, or else at once. */
  async remove(pid: number): Promise<void> {
    if (!this.#watched.delete(pid)) return;
    const shell = this.#shell;
    shell?.stdin?.write(`- ${pid}\n`);
    if (this.#watched.size > 0 || shell === undefined) return;
    this.#shell = undefined;
    const lives = shell.pid !== undefined && shell.exitCode === null && shell.signalCode === null;
    const exit = lives ? once(shell, 'exit') : undefined;
    shell.stdin?.end();
    await exit;
  }
}

function startShell(): ChildProcess {
  const shell = spawn('sh', ['-c', SCRIPT], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  // Without a shell there is no watching, and nothing else to do about it; so with one that was killed.
  shell.once('error', () => undefined);
  shell.stdin?.on('error', () => undefined);
  return shell;
}
