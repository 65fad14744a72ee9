import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { errorCode } from '../base/errors.ts';
import type { CorefileHost } from '../dns/corefile/parse-corefile.ts';

/** Lets Corefiles import files of this machine, and read variables of the environment it is given. */
export function machineCorefileHost(
  environment: Readonly<Record<string, string | undefined>>,
): CorefileHost {
  return {
    environment,
    readImports: (pattern, importedFrom) =>
      matchingFiles(resolve(dirname(importedFrom), pattern)).map((file) => ({
        file,
        text: readFileSync(file, 'utf8'),
      })),
  };
}

/** Wildcards stand in the last part of the path only; files come in name order. */
function matchingFiles(path: string): string[] {
  const pattern = basename(path);
  const folder = dirname(path);
  try {
    const names = readdirSync(folder);
    if (!/[*?]/.test(pattern)) return names.includes(pattern) ? [path] : [];
    const expression = new RegExp(
      `^${pattern
        .replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`)
        .replaceAll('*', '[^/]*')
        .replaceAll('?', '.')}$`,
    );
    return names
      .filter((name) => expression.test(name))
      .toSorted()
      .map((name) => resolve(folder, name));
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
}
