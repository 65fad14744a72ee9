import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const CACHE = join(tmpdir(), 'podwire-test-debian');

/**
 * A program out of a Debian package, unpacked beside the system instead of installed into it: installing may
 * start services, or clash with what is there. Undefined where there is no apt, or no network.
 */
export function debianProgram(debianPackage: string, path: string): string | undefined {
  const root = join(CACHE, debianPackage);
  const program = join(root, path);
  if (existsSync(program)) return program;
  try {
    mkdirSync(root, { recursive: true });
    execFileSync('apt-get', ['download', debianPackage], { cwd: root, stdio: 'ignore' });
    const deb = readdirSync(root).find((name) => name.endsWith('.deb')) ?? '';
    execFileSync('dpkg', ['-x', join(root, deb), root], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  return existsSync(program) ? program : undefined;
}
