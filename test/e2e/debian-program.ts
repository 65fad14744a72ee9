import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
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
    unpack([debianPackage], root);
  } catch {
    return undefined;
  }
  return existsSync(program) ? program : undefined;
}

/**
 * The folder where Debian packages are unpacked beside the system with whatever else they need and this system
 * lacks: libraries. Undefined where there is no apt, or no network.
 */
export function debianFolder(...packages: readonly string[]): string | undefined {
  const root = join(CACHE, packages.join('+'));
  const complete = join(root, 'complete');
  if (existsSync(complete)) return root;
  try {
    unpack(lacking(packages), root);
    writeFileSync(complete, '');
    return root;
  } catch {
    return undefined;
  }
}

function unpack(packages: readonly string[], root: string): void {
  mkdirSync(root, { recursive: true });
  execFileSync('apt-get', ['download', ...packages], { cwd: root, stdio: 'ignore' });
  for (const file of readdirSync(root))
    if (file.endsWith('.deb')) execFileSync('dpkg', ['-x', join(root, file), root]);
}

/** What installing them would install. */
function lacking(packages: readonly string[]): string[] {
  const flags = ['--simulate', '--quiet=2', '--no-install-recommends'];
  const steps = execFileSync('apt-get', [...flags, 'install', ...packages], { encoding: 'utf8' });
  return [...steps.matchAll(/^Inst (\S+)/gm)].map((step) => step[1] ?? '');
}
