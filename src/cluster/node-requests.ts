import { errorCode, errorMessage } from '../base/errors.ts';
import type { AskNode, ProxyRequest, ProxyResponse } from '../controlplane/apiserver/pod-access.ts';
import type { CommandOutput } from '../node/commands/node-command.ts';
import { runNodeCommand } from '../node/commands/node-commands.ts';
import type { NodeAgent } from '../node/node-agent.ts';

/** Where a node runs its commands: POST with `{"command": ["ipvsadm", "-Ln"]}`. */
export const EXEC_PATH = '/exec';

/** What this process's nodes answer to `nodes/NAME/proxy/PATH`; an agent is absent while its node is down. */
export function askNodes(agentOf: (node: string) => NodeAgent | undefined): AskNode {
  return async (node, request) => {
    const agent = agentOf(node);
    if (agent === undefined) throw new Error(`node ${node} is not running`);
    if (request.method !== 'POST' || request.path !== EXEC_PATH)
      return answer(404, `404 page not found: POST ${EXEC_PATH} is what a node answers\n`);
    const command = parseCommand(request);
    if (command === undefined)
      return answer(400, 'command: must be a list of strings, {"command": ["ipvsadm", "-Ln"]}\n');
    try {
      return answer(200, await runNodeCommand(agent, command, request.signal));
    } catch (error) {
      if (errorCode(error) !== 'USAGE') throw error;
      return answer(400, `${errorMessage(error)}\n`);
    }
  };
}

function parseCommand(request: ProxyRequest): string[] | undefined {
  try {
    const body: unknown = JSON.parse(request.body.toString());
    const command =
      typeof body === 'object' && body !== null && 'command' in body ? body.command : undefined;
    return Array.isArray(command) && command.every((part) => typeof part === 'string')
      ? command
      : undefined;
  } catch {
    return undefined;
  }
}

function answer(code: number, output: CommandOutput): ProxyResponse {
  return {
    code,
    headers: { 'content-type': 'text/plain; charset=utf-8' },
    chunks: buffers(typeof output === 'string' ? [output] : output),
  };
}

async function* buffers(
  chunks: Iterable<string> | AsyncIterable<string | Buffer>,
): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
}
