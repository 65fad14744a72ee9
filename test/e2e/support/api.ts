import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { parse } from 'yaml';

/** One request to the API of a running cluster, with its kubeconfig's key. Rejects with what the server says against it. */
export function callApi(
  kubeconfig: string,
  method: 'GET' | 'PATCH' | 'POST' | 'DELETE',
  path: string,
  body?: object,
): Promise<string> {
  const { clusters, users } = parse(readFileSync(kubeconfig, 'utf8')) as {
    clusters: { cluster: Record<string, string> }[];
    users: { user: Record<string, string> }[];
  };
  const { server = '', 'certificate-authority-data': ca = '' } = clusters[0]?.cluster ?? {};
  const content = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
  return new Promise((resolve, reject) => {
    const outgoing = request(new URL(path, server), {
      method,
      agent: false,
      ca: Buffer.from(ca, 'base64'),
      headers: { authorization: `Bearer ${users[0]?.user['token']}`, 'content-type': content },
    });
    outgoing.once('error', reject);
    outgoing.once('response', (incoming) => {
      let text = '';
      incoming.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      incoming.once('error', reject);
      incoming.once('end', () => {
        if ((incoming.statusCode ?? 500) < 300) resolve(text);
        else reject(new Error(`${method} ${path}: ${text}`));
      });
    });
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
