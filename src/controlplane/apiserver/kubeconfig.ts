import { dirname } from 'node:path';
import { stringify } from 'yaml';
import { writePrivate } from './credentials.ts';

const NAME = 'podwire';

/** What kubectl needs to reach this cluster: its address, whom to trust, who we are. */
export function kubeconfigText(options: {
  readonly server: string;
  readonly caCertificate: string;
  readonly token: string;
}): string {
  const { server, caCertificate, token } = options;
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: NAME,
        cluster: {
          server,
          'certificate-authority-data': Buffer.from(caCertificate).toString('base64'),
        },
      },
    ],
    users: [{ name: NAME, user: { token } }],
    contexts: [{ name: NAME, context: { cluster: NAME, user: NAME } }],
    'current-context': NAME,
  });
}

/** Mode 0600: the token in it is the key to the cluster. */
export async function writeKubeconfig(path: string, text: string): Promise<void> {
  await writePrivate(path, text, dirname(path));
}
