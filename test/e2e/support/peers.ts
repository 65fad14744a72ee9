import { readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { findProgram } from '../../../src/bench/live/find-program.ts';
import { debianFolder } from '../debian-program.ts';

/**
 * Lets benches find HAProxy and nginx. Where they are not installed they are unpacked beside the system, since
 * installing them would start them; this process and its children then look there as well.
 */
export function provideProxies(): void {
  if (findProgram('haproxy') !== undefined && findProgram('nginx') !== undefined) return;
  const folder = debianFolder('haproxy', 'nginx', 'libnginx-mod-stream');
  if (folder === undefined) return;
  const libraries = join(folder, 'usr/lib');
  const ofThisMachine = readdirSync(libraries).filter((name) => name.includes('-linux-gnu'));
  extend('PATH', [join(folder, 'usr/sbin')]);
  extend(
    'LD_LIBRARY_PATH',
    ofThisMachine.map((name) => join(libraries, name)),
  );
}

function extend(variable: string, folders: readonly string[]): void {
  const before = process.env[variable];
  process.env[variable] = [...folders, ...(before === undefined ? [] : [before])].join(delimiter);
}
