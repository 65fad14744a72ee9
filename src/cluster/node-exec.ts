import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { parse } from 'yaml';
import { errorMessage, PodwireError } from '../base/errors.ts';
import { EXEC_PATH, POWER_PATH } from './node-requests.ts';

/** Where a running cluster's API is, and the key to it. */
interface ApiLocation {
  readonly server: string;
  readonly caCertificate: string;
  readonly token: string;
}

/** A refusal's text is short; what is longer is cut. */
const MAX_REFUSAL_BYTES = 65_536;

/**
 * Runs a command on a node of a running cluster, and gives what it prints as it comes; the signal ends a command that
 * goes on by itself. Rejects with code NO_CLUSTER where no cluster answers, USAGE where the node refuses the command
 * line, and NODE_EXEC for everything else that the API server or the node says.
 *
 * @yields What the command prints, in pieces of any size.
 */
export async function* execOnNode(
  kubeconfigPath: string,
  node: string,
  command: readonly string[],
  signal?: AbortSignal,
): AsyncGenerator<Buffer> {
  const api = await readKubeconfig(kubeconfigPath);
  const body = JSON.stringify({ command });
  const response = await send(api, 'POST', proxyPath(node, EXEC_PATH), body, signal);
  if (response.statusCode !== 200) throw await refusal(response);
  try {
    for await (const chunk of response) yield chunk as Buffer;
  } catch (error) {
    if (signal?.aborted !== true)
      throw new PodwireError('NODE_EXEC', `node ${node}: ${errorMessage(error)}`, { cause: error });
  }
}

/**
 * Switches a node of a running cluster on, at another address where one is given, or off as a power cut would.
 * Resolves with what the cluster says, once it is done. Rejects as `execOnNode` does.
 */
export async function switchNode(
  kubeconfigPath: string,
  node: string,
  power: { readonly on: boolean; readonly address?: string },
): Promise<string> {
  const api = await readKubeconfig(kubeconfigPath);
  const response = await send(api, 'POST', proxyPath(node, POWER_PATH), JSON.stringify(power));
  if (response.statusCode !== 200) throw await refusal(response);
  return (await text(response)).trimEnd();
}

/** The names of a running cluster's nodes, in order. Rejects as `execOnNode` does. */
export async function nodesOf(kubeconfigPath: string): Promise<string[]> {
  const api = await readKubeconfig(kubeconfigPath);
  const response = await send(api, 'GET', '/api/v1/nodes');
  if (response.statusCode !== 200) throw await refusal(response);
  const list = JSON.parse(await text(response)) as {
    readonly items: readonly { readonly metadata: { readonly name: string } }[];
  };
  return list.items.map(({ metadata }) => metadata.name);
}

function proxyPath(node: string, path: string): string {
  return `/api/v1/nodes/${encodeURIComponent(node)}/proxy${path}`;
}

/** The only cluster and user of a kubeconfig that podwire wrote. */
async function readKubeconfig(path: string): Promise<ApiLocation> {
  const content = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new PodwireError(
      'NO_CLUSTER',
      `${path} cannot be read: podwire up writes it (${errorMessage(error)})`,
    );
  });
  const config = parse(content) as {
    readonly clusters?: readonly { readonly cluster?: Readonly<Record<string, string>> }[];
    readonly users?: readonly { readonly user?: Readonly<Record<string, string>> }[];
  };
  const cluster = config.clusters?.[0]?.cluster;
  const server = cluster?.['server'];
  const token = config.users?.[0]?.user?.['token'];
  if (server === undefined || token === undefined)
    throw new PodwireError('NO_CLUSTER', `${path} is not a kubeconfig that podwire wrote`);
  const ca = cluster?.['certificate-authority-data'] ?? '';
  return { server, token, caCertificate: Buffer.from(ca, 'base64').toString() };
}

function send(
  api: ApiLocation,
  method: string,
  path: string,
  body?: string,
  signal?: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = httpsRequest(new URL(path, api.server), {
      method,
      ca: api.caCertificate,
      agent: false,
      headers: {
        authorization: `Bearer ${api.token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(signal === undefined ? {} : { signal }),
    });
    outgoing.once('response', resolve);
    outgoing.once('error', (error) =>
      reject(
        new PodwireError(
          'NO_CLUSTER',
          `no cluster answers at ${api.server}: is podwire up running, and is this its kubeconfig? (${error.message})`,
          { cause: error },
        ),
      ),
    );
    outgoing.end(body);
  });
}

/** What the API server (a Status) or the node (plain text) says against it. */
async function refusal(response: IncomingMessage): Promise<PodwireError> {
  const said = (await text(response)).slice(0, MAX_REFUSAL_BYTES).trim();
  const message = statusMessage(said) ?? said;
  return new PodwireError(response.statusCode === 400 ? 'USAGE' : 'NODE_EXEC', message);
}

function statusMessage(said: string): string | undefined {
  try {
    const status = JSON.parse(said) as { readonly message?: unknown };
    return typeof status.message === 'string' ? status.message : undefined;
  } catch {
    return undefined;
  }
}

async function text(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
