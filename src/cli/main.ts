#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { errorMessage } from '../base/errors.ts';
import { registerApiServer } from './apiserver.ts';
import { registerBench } from './bench.ts';
import { registerDemo } from './demo.ts';
import { packageInfo } from './package-info.ts';
import { registerDoctor } from './doctor.ts';
import { registerDns } from './dns.ts';
import { registerExplain } from './explain.ts';
import { registerKubeconfig } from './kubeconfig.ts';
import { registerNode } from './node.ts';
import { registerOverlay } from './overlay.ts';
import { CommandError, EXIT, processTerminal } from './terminal.ts';
import { registerUp } from './up.ts';

const { version, description } = packageInfo();

function buildProgram(): Command {
  const program = new Command('podwire')
    .description(description)
    .version(version, '-V, --version')
    .showHelpAfterError('(podwire --help tells what there is)')
    .enablePositionalOptions()
    .exitOverride()
    .addHelpText(
      'after',
      `
Start here:
  podwire demo                                see where 300 requests go
  podwire up --nodes 3 -f examples/tomcat.yaml
  curl http://127.0.0.1:30001                 a NodePort, from this machine
  dig @127.0.0.1 -p 1053 tomcat-server.default.svc.cluster.local`,
    );
  registerUp(program, processTerminal);
  registerDemo(program, processTerminal);
  registerBench(program, processTerminal);
  registerDns(program, processTerminal);
  registerDoctor(program, processTerminal);
  registerExplain(program, processTerminal);
  registerApiServer(program, processTerminal);
  registerKubeconfig(program, processTerminal);
  registerNode(program, processTerminal);
  registerOverlay(program, processTerminal);
  program
    .command('version')
    .summary('print the version')
    .action(() => processTerminal.out(`podwire ${version} (Node.js ${process.version})`));
  return program;
}

try {
  await buildProgram().parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
}

/** Commander has printed its own complaints already. */
function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  processTerminal.err(`podwire: ${errorMessage(error)}`);
  if (error instanceof CommandError) return error.exitCode;
  if (process.env['PODWIRE_DEBUG'] !== undefined)
    processTerminal.err(String((error as Error).stack));
  return EXIT.failure;
}
