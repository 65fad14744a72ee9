import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { defaultKubeconfigPath } from './api-options.ts';
import { CommandError, type Terminal } from './terminal.ts';

export function registerKubeconfig(program: Command, terminal: Terminal): void {
  program
    .command('kubeconfig')
    .summary('print where the kubeconfig of the last cluster is')
    .description(
      'Prints the path of the kubeconfig that podwire up or podwire apiserver wrote, for\n  export KUBECONFIG="$(podwire kubeconfig)"',
    )
    .action(() => {
      const path = defaultKubeconfigPath();
      if (!existsSync(path))
        throw new CommandError(`there is no ${path} yet: podwire up writes it`);
      terminal.out(path);
    });
}
