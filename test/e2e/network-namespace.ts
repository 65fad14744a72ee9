import { execFileSync, spawnSync } from 'node:child_process';

/** Why this machine cannot make network namespaces; undefined when it can. */
export function namespaceObstacle(): string | undefined {
  const name = `podwire-probe-${process.pid}`;
  const made = spawnSync('ip', ['netns', 'add', name], { encoding: 'utf8' });
  if (made.error !== undefined) return 'iproute2 is not installed';
  if (made.status !== 0) return `no permission for network namespaces: ${made.stderr.trim()}`;
  execFileSync('ip', ['netns', 'del', name]);
  return undefined;
}

/** A network namespace of this test, with its devices. */
export class NetworkNamespace {
  readonly name: string;

  constructor(suffix: string) {
    this.name = `podwire-${process.pid}-${suffix}`;
    execFileSync('ip', ['netns', 'add', this.name]);
    this.run('ip link set lo up');
  }

  /** Runs a line of shell in it; its output. Throws with its errors. */
  run(command: string): string {
    return execFileSync('ip', ['netns', 'exec', this.name, 'sh', '-ec', command], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  /** Takes the namespace away, and with it its devices. */
  remove(): void {
    execFileSync('ip', ['netns', 'del', this.name]);
  }
}
