import {
  type FileHandle,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode, errorMessage, PodwireError } from '../../base/errors.ts';
import { isOtherAlive, ownIdentity, parseIdentity } from '../../base/process-identity.ts';
import { decodeRecord, encodeRecord, type LogRecord } from './log-record.ts';

/**
 * The files of a log store: `N.snapshot` holds every object as of revision N, `N.log` the changes after it.
 * The newest snapshot and the logs from there on are the state; older files are leftovers.
 */
const SNAPSHOT = '.snapshot';
const LOG = '.log';
const LOCK = 'lock';
/** So many bytes of a snapshot are written at a time. */
const CHUNK_BYTES = 1024 * 1024;
const PRIVATE = 0o600;

export interface Recovery {
  readonly records: readonly LogRecord[];
  /** The newest revision, also where nothing of it is left. */
  readonly revision: number;
  readonly snapshotBytes: number;
  /** A log whose end was a write cut off by a crash; it has been cut there. */
  readonly cut: { readonly file: string; readonly bytes: number; readonly why: string } | undefined;
}

/**
 * Takes the directory for this process; the result gives it back. Throws PodwireErrors: `store-locked` while another
 * process lives in it, `store-failed` where nothing can be written there.
 */
export async function lockDirectory(directory: string): Promise<() => Promise<void>> {
  const path = join(directory, LOCK);
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    while (!(await writeLock(path))) await removeStaleLock(directory, path);
  } catch (error) {
    if (error instanceof PodwireError) throw error;
    throw new PodwireError(
      'store-failed',
      `cannot keep objects in ${directory}: ${errorMessage(error)}; use another --data-dir`,
      { cause: error },
    );
  }
  return () => rm(path, { force: true });
}

/** False where there is one already. */
async function writeLock(path: string): Promise<boolean> {
  try {
    await writeFile(path, await ownIdentity(), { flag: 'wx', mode: PRIVATE });
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

async function removeStaleLock(directory: string, path: string): Promise<void> {
  const holder = parseIdentity(await readFile(path, 'utf8').catch(() => ''));
  if (await isOtherAlive(holder))
    throw new PodwireError(
      'store-locked',
      `${directory} is in use by process ${holder.pid}; stop it, or use another --data-dir`,
    );
  await rm(path, { force: true });
}

/** Reads everything back. Throws `store-corrupt` for damage a crash cannot explain. */
export async function recover(directory: string): Promise<Recovery> {
  const names = await readdir(directory);
  const snapshots = revisionsOf(names, SNAPSHOT);
  const base = snapshots.at(-1);
  const logs = revisionsOf(names, LOG).filter((revision) => revision >= (base ?? 0));
  const records: LogRecord[] = [];
  let revision = base ?? 0;
  let snapshotBytes = 0;
  if (base !== undefined) {
    const buffer = await readFile(join(directory, fileName(base, SNAPSHOT)));
    snapshotBytes = buffer.length;
    const { good, why } = readRecords(buffer, (record) => records.push(record));
    if (good !== buffer.length) throw corrupt(join(directory, fileName(base, SNAPSHOT)), good, why);
  }
  let cut: Recovery['cut'];
  for (const [index, log] of logs.entries()) {
    const path = join(directory, fileName(log, LOG));
    const buffer = await readFile(path);
    const { good, why } = readRecords(buffer, (record) => {
      records.push(record);
      revision = Math.max(revision, record.revision);
    });
    if (good === buffer.length) continue;
    // Only the file that was being written can end in the middle of a write.
    if (index !== logs.length - 1) throw corrupt(path, good, why);
    await truncate(path, good);
    cut = { file: path, bytes: buffer.length - good, why };
  }
  return { records, revision, snapshotBytes, cut };
}

function readRecords(
  buffer: Buffer,
  take: (record: LogRecord) => void,
): { readonly good: number; readonly why: string } {
  let at = 0;
  for (;;) {
    const outcome = decodeRecord(buffer, at);
    switch (outcome.kind) {
      case 'end':
        return { good: at, why: '' };
      case 'torn':
        return { good: at, why: outcome.why };
      case 'record':
        take(outcome.record);
        at = outcome.next;
    }
  }
}

function corrupt(path: string, at: number, why: string): PodwireError {
  return new PodwireError(
    'store-corrupt',
    `${path} is damaged at byte ${at}: ${why}; restore it from a copy, or start with an empty --data-dir`,
  );
}

/** Opens the log that follows this revision, to append to. */
export async function openLog(directory: string, revision: number): Promise<FileHandle> {
  const handle = await open(join(directory, fileName(revision, LOG)), 'a', PRIVATE);
  await syncDirectory(directory);
  return handle;
}

/** Writes a snapshot whole or not at all, then drops the files it replaces. Returns its size. */
export async function writeSnapshot(
  directory: string,
  revision: number,
  records: Iterable<LogRecord>,
): Promise<number> {
  const path = join(directory, fileName(revision, SNAPSHOT));
  const temporary = `${path}.tmp`;
  const handle = await open(temporary, 'w', PRIVATE);
  let bytes = 0;
  try {
    let chunk: Buffer[] = [];
    let chunkBytes = 0;
    for (const record of records) {
      const encoded = encodeRecord(record);
      chunk.push(encoded);
      chunkBytes += encoded.length;
      bytes += encoded.length;
      if (chunkBytes < CHUNK_BYTES) continue;
      await handle.write(Buffer.concat(chunk));
      chunk = [];
      chunkBytes = 0;
    }
    await handle.write(Buffer.concat(chunk));
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, path);
  await syncDirectory(directory);
  for (const name of await readdir(directory)) {
    const old = revisionOfName(name, SNAPSHOT) ?? revisionOfName(name, LOG);
    if ((old !== undefined && old < revision) || (name.endsWith('.tmp') && name !== temporary))
      await rm(join(directory, name), { force: true });
  }
  return bytes;
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Padded, so that names sort as numbers. */
function fileName(revision: number, suffix: string): string {
  return `${String(revision).padStart(16, '0')}${suffix}`;
}

function revisionOfName(name: string, suffix: string): number | undefined {
  const digits = name.slice(0, -suffix.length);
  return name.endsWith(suffix) && /^\d{16}$/.test(digits) ? Number(digits) : undefined;
}

function revisionsOf(names: readonly string[], suffix: string): number[] {
  return names
    .map((name) => revisionOfName(name, suffix))
    .filter((revision): revision is number => revision !== undefined)
    .toSorted((a, b) => a - b);
}
