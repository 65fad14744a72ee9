import { existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Command } from 'commander';
import {
  datagramRefusal,
  epollEngineRefusal,
  handleEngineRefusal,
  machineReport,
  uringEngineRefusal,
} from '../cluster/machine-report.ts';
import { renderTable } from './table.ts';
import type { Terminal } from './terminal.ts';

export function registerDoctor(program: Command, terminal: Terminal): void {
  program
    .command('doctor')
    .summary('show what this machine offers podwire')
    .description(
      'Shows the kernel, which forwarding engines work and why others do not, limits, ports and tools.\nNothing is changed; nothing that is missing keeps podwire from running.',
    )
    .action(() => {
      const folders = (process.env['PATH'] ?? '').split(delimiter);
      const facts = machineReport({
        read: readText,
        hasCommand: (name) => folders.some((folder) => existsSync(join(folder, name))),
        kernel: `${process.platform} ${release()}`,
        arch: process.arch,
        datagramRefusal,
        epollRefusal: epollEngineRefusal,
        handleRefusal: handleEngineRefusal,
        uringRefusal: uringEngineRefusal,
      });
      const rows = facts.map(({ name, state, detail }) => [name, state, detail]);
      terminal.out(renderTable(['WHAT', 'STATE', 'DETAIL'], rows));
    });
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
