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
import { CommandError, EXIT, openTerminal } from './terminal.ts';
import { registerUp } from './up.ts';

const { version, description } = packageInfo();
const terminal = openTerminal();

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
  registerUp(program, terminal);
  registerDemo(program, terminal);
  registerBench(program, terminal);
  registerDns(program, terminal);
  registerDoctor(program, terminal);
  registerExplain(program, terminal);
  registerApiServer(program, terminal);
  registerKubeconfig(program, terminal);
  registerNode(program, terminal);
  registerOverlay(program, terminal);
  program
    .command('version')
    .summary('print the version')
    .action(() => terminal.out(`podwire ${version} (Node.js ${process.version})`));
  return program;
}

/** Runs the command line of this process; its outcome is the exit code. */
export async function runProgram(): Promise<void> {
  try {
    await buildProgram().parseAsync();
  } catch (error) {
    process.exitCode = exitCodeOf(error);
  }
}

/** Commander has printed its own complaints already. */
function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  terminal.err(`podwire: ${errorMessage(error)}`);
  if (error instanceof CommandError) return error.exitCode;
  if (process.env['PODWIRE_DEBUG'] !== undefined) terminal.err(String((error as Error).stack));
  return EXIT.failure;
}
