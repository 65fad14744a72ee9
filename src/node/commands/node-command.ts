import { PodwireError } from '../../base/errors.ts';
import type { NodeAgent } from '../node-agent.ts';

/** What a command prints: at once, or for as long as its reader stays. */
export type CommandOutput = string | AsyncIterable<string | Buffer>;

/** One program that can be run on a node: `podwire node exec NODE NAME ARGS…`. */
export interface NodeCommand {
  /** What is typed first, `iptables-save`. */
  readonly name: string;
  /** Its arguments and what it does, on one line: `[-t TABLE]  the rules of …`. */
  readonly summary: string;
  /** `signal` aborts once nobody reads any more. Rejects with `usageError` for arguments it does not take. */
  run(
    agent: NodeAgent,
    args: readonly string[],
    signal: AbortSignal,
  ): CommandOutput | Promise<CommandOutput>;
}

/** Refuses a command line, with the remedy; code USAGE. */
export function usageError(message: string): PodwireError {
  return new PodwireError('USAGE', message);
}
