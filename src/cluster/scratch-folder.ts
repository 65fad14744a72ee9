import { lstat, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isOtherAlive, ownIdentity, parseIdentity } from '../base/process-identity.ts';

const PREFIX = 'podwire-';
/** Says whose a folder is: the PID namespace on a line, then the process. */
const OWNER = 'owner';

/**
 * A new folder in `parent` for what a cluster needs while it runs; its owner removes it. Folders that were left
 * by processes that could not, because they were killed, are removed first.
 */
export async function makeScratchFolder(parent: string): Promise<string> {
  const namespace = await pidNamespace();
  const names = await readdir(parent).catch(() => []);
  for (const name of names)
    if (name.startsWith(PREFIX)) await removeIfAbandoned(join(parent, name), namespace);
  const folder = await mkdtemp(join(parent, PREFIX));
  await writeFile(join(folder, OWNER), `${namespace}\n${await ownIdentity()}`);
  return folder;
}

/** Never anything without an owner's name in it, of another user, or of a process that cannot be seen from here. */
async function removeIfAbandoned(folder: string, namespace: string): Promise<void> {
  try {
    const [home, identity = ''] = (await readFile(join(folder, OWNER), 'utf8')).split('\n');
    const { uid } = await lstat(folder);
    if (home !== namespace || uid !== process.getuid?.()) return;
    const owner = parseIdentity(identity);
    if (owner.pid === 0 || owner.pid === process.pid || (await isOtherAlive(owner))) return;
    await rm(folder, { recursive: true, force: true });
  } catch {
    // Not ours, or somebody else is removing it: it may stay.
  }
}

/** Numbers of processes mean something inside one namespace only. */
function pidNamespace(): Promise<string> {
  return readlink('/proc/self/ns/pid').catch(() => 'host');
}
