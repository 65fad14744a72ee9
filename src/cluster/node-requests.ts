import { isJsonObject } from '../api/json.ts';
import { errorCode, errorMessage } from '../base/errors.ts';
import type { AskNode, ProxyRequest, ProxyResponse } from '../controlplane/apiserver/pod-access.ts';
import type { CommandOutput } from '../node/commands/node-command.ts';
import { runNodeCommand } from '../node/commands/node-commands.ts';
import type { NodeAgent } from '../node/node-agent.ts';

/** Where a node runs its commands: POST with `{"command": ["ipvsadm", "-Ln"]}`. */
export const EXEC_PATH = '/exec';

/** A machine's power switch, which works while its node is down: POST with `{"on": true, "address": "127.18.0.9"}`. */
export const POWER_PATH = '/power';

/** What `askNodes` needs of the machines of this process. */
export interface Machines {
  /** Undefined while the node is down. */
  agent(name: string): NodeAgent | undefined;
  startNode(name: string, options: { readonly address?: string }): Promise<void>;
  stopNode(name: string): Promise<void>;
}

/** What this process's nodes answer to `nodes/NAME/proxy/PATH`. */
export function askNodes(machines: Machines): AskNode {
  return async (node, request) => {
    if (request.method === 'POST' && request.path === POWER_PATH)
      return switchPower(machines, node, request);
    const agent = machines.agent(node);
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

const POWER_REFUSALS: ReadonlySet<string> = new Set([
  'node-unknown',
  'node-running',
  'node-stopped',
  'node-address',
]);

async function switchPower(
  machines: Machines,
  node: string,
  request: ProxyRequest,
): Promise<ProxyResponse> {
  const body = parseObject(request);
  const { on, address } = body ?? {};
  if (typeof on !== 'boolean' || (address !== undefined && typeof address !== 'string'))
    return answer(400, 'power: {"on": true}, {"on": true, "address": IP} or {"on": false}\n');
  try {
    if (on) await machines.startNode(node, address === undefined ? {} : { address });
    else await machines.stopNode(node);
    return answer(200, `${node} is ${on ? 'Ready' : 'stopped'}\n`);
  } catch (error) {
    if (!POWER_REFUSALS.has(errorCode(error) ?? '')) throw error;
    return answer(400, `${errorMessage(error)}\n`);
  }
}

function parseCommand(request: ProxyRequest): string[] | undefined {
  const command = parseObject(request)?.['command'];
  return Array.isArray(command) && command.every((part) => typeof part === 'string')
    ? command
    : undefined;
}

function parseObject(request: ProxyRequest): Readonly<Record<string, unknown>> | undefined {
  try {
    const body: unknown = JSON.parse(request.body.toString());
    return isJsonObject(body) ? body : undefined;
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
