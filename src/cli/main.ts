#!/usr/bin/env node
import { packageInfo } from './package-info.ts';

const { engines, version } = packageInfo();
const needed = engines.node.replace('>=', '');

if (isOlder(process.versions.node, needed)) {
  process.stderr.write(
    `podwire ${version} needs Node.js ${needed} or newer; this is ${process.version} (${process.execPath})\n`,
  );
  process.exitCode = 1;
} else {
  // Loaded only now: an older Node would fail on it with a message that helps nobody.
  const { runProgram } = await import('./program.ts');
  await runProgram();
}

function isOlder(one: string, than: string): boolean {
  return one.localeCompare(than, 'en', { numeric: true }) < 0;
}
