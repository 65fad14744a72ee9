import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { errorCode, errorMessage } from '../base/errors.ts';
import { CommandError, EXIT } from './terminal.ts';

export interface ManifestFile {
  readonly path: string;
  readonly text: string;
}

/** `-f` of commands that apply or serve manifests; absent when not given. */
export function addManifestsOption(command: Command): Command {
  return command.option(
    '-f, --filename <path>',
    'manifest file, folder, or - for stdin; may be repeated',
    addPath,
  );
}

function addPath(path: string, others: readonly string[] = []): readonly string[] {
  return [...others, path];
}

const MANIFEST = /\.(ya?ml|json)$/;

/** Reads files and, for each folder, its manifests in name order (`-f` of kubectl). `-` is stdin. */
export async function readManifestFiles(paths: readonly string[] = []): Promise<ManifestFile[]> {
  const files: ManifestFile[] = [];
  for (const path of paths) {
    if (path === '-') files.push({ path: 'stdin', text: await readStdin() });
    else files.push(...(await readPath(path)));
  }
  return files;
}

async function readPath(path: string): Promise<ManifestFile[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [{ path, text: await readFile(path, 'utf8') }];
    const names = (await readdir(path)).filter((name) => MANIFEST.test(name)).toSorted();
    if (names.length === 0)
      throw new CommandError(`${path}: no .yaml, .yml or .json file in this folder`, EXIT.usage);
    return await Promise.all(
      names.map(async (name) => {
        const file = join(path, name);
        return { path: file, text: await readFile(file, 'utf8') };
      }),
    );
  } catch (error) {
    if (error instanceof CommandError) throw error;
    const reason = errorCode(error) === 'ENOENT' ? 'no such file or folder' : errorMessage(error);
    throw new CommandError(`${path}: ${reason}`, EXIT.usage);
  }
}

async function readStdin(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
