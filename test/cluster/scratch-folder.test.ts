import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeScratchFolder } from '../../src/cluster/scratch-folder.ts';

let parent: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'scratch-'));
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

/** A folder as a process made it: with its owner's name, and something of its own. */
function left(name: string, owner: string | undefined): string {
  const folder = join(parent, name);
  mkdirSync(join(folder, 'nodes'), { recursive: true });
  if (owner !== undefined) writeFileSync(join(folder, 'owner'), owner);
  return folder;
}

/** Of a process that has ended, in our PID namespace. */
async function endedOwner(): Promise<string> {
  const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' });
  await once(child, 'exit');
  return ownerLike(`${child.pid} 1`);
}

/** The namespace is whatever a folder of ours says it is. */
async function ownerLike(identity: string): Promise<string> {
  const folder = await makeScratchFolder(parent);
  const [namespace] = readFileSync(join(folder, 'owner'), 'utf8').split('\n');
  return `${namespace}\n${identity}`;
}

test('what a killed process left is removed at the next start', async () => {
  const abandoned = left('podwire-gone', await endedOwner());
  const folder = await makeScratchFolder(parent);
  expect(existsSync(abandoned)).toBe(false);
  expect(existsSync(folder)).toBe(true);
});

test('nothing else is', async () => {
  const stay = [
    left('podwire-alive', await ownerLike(`${process.ppid} `)),
    left('podwire-elsewhere', `pid:[1]\n${(await endedOwner()).split('\n')[1]}`),
    left('podwire-nobodys', undefined),
    left('podwire-garbled', 'not an owner'),
    left('other-thing', await endedOwner()),
    await makeScratchFolder(parent),
  ];
  await makeScratchFolder(parent);
  expect(stay.filter((folder) => !existsSync(folder))).toEqual([]);
});
