import { errorCode } from '../base/errors.ts';
import { execOnNode, nodesOf } from './node-exec.ts';

/** A node of a running cluster and the names of the DNS servers on it. */
export interface NodeWithDns {
  readonly node: string;
  readonly servers: readonly string[];
}

/** The nodes that run DNS servers; one that is stopped runs none. Rejects as `execOnNode` does. */
export async function nodesWithDns(kubeconfigPath: string): Promise<NodeWithDns[]> {
  const nodes = await nodesOf(kubeconfigPath);
  const found = await Promise.all(
    nodes.map(async (node) => ({ node, servers: await serversOf(kubeconfigPath, node) })),
  );
  return found.filter(({ servers }) => servers.length > 0);
}

/** Lines of `NAME ADDRESS`. */
async function serversOf(kubeconfigPath: string, node: string): Promise<string[]> {
  let text = '';
  try {
    for await (const chunk of execOnNode(kubeconfigPath, node, ['dns-servers']))
      text += chunk.toString();
  } catch (error) {
    if (errorCode(error) === 'NODE_EXEC') return [];
    throw error;
  }
  return text
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '')
    .filter((name) => name !== '');
}
