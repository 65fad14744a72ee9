import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where another module of this program is, as .ts from source and as .js when built. */
export function siblingModule(moduleUrl: string, name: string): string {
  const here = fileURLToPath(moduleUrl);
  return join(dirname(here), `${name}${extname(here)}`);
}

/** Node's flags for a thread or child that runs `path`: from source, it needs the same loader as we. */
export function loaderFlags(path: string): string[] {
  const inherited = process.execArgv.filter((flag) => !flag.startsWith('--inspect'));
  const loads = inherited.some((flag) => flag.includes('tsx'));
  return path.endsWith('.ts') && !loads ? ['--import', 'tsx'] : loads ? inherited : [];
}
