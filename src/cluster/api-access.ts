import type { ControlPlane } from '../controlplane/control-plane.ts';
import type { AskNode, ForwardHttp, PodAccess } from '../controlplane/apiserver/pod-access.ts';
import { errorMessage, PodwireError } from '../base/errors.ts';
import { writeKubeconfig } from '../controlplane/apiserver/kubeconfig.ts';
import type { RunningApiServer } from '../controlplane/apiserver/start-api-server.ts';

/** How clients outside the process reach the API. */
export interface ApiAccess {
  readonly listen: { readonly host: string; readonly port: number };
  /** Plain HTTP on 127.0.0.1, without a token. */
  readonly insecurePort?: number;
  /** Written once the API is open, mode 0600. */
  readonly kubeconfigPath: string;
  /** Where the authority and the token are kept between runs; absent: new ones at every start. */
  readonly credentialsDirectory?: string;
}

/**
 * Opens the API and writes the kubeconfig for it. Throws PodwireErrors: `listen-failed`, `kubeconfig-failed`; after the
 * latter the API is open all the same.
 */
export async function openApi(
  controlPlane: ControlPlane,
  access: ApiAccess,
  nodes: {
    readonly pods?: PodAccess;
    readonly forward?: ForwardHttp;
    readonly askNode?: AskNode;
  } = {},
): Promise<RunningApiServer> {
  const running = await controlPlane.serveApi({
    listen: access.listen,
    ...(access.insecurePort === undefined
      ? {}
      : { insecure: { host: '127.0.0.1', port: access.insecurePort } }),
    ...(access.credentialsDirectory === undefined
      ? {}
      : { credentialsDirectory: access.credentialsDirectory }),
    ...nodes,
  });
  try {
    await writeKubeconfig(access.kubeconfigPath, running.kubeconfig);
  } catch (error) {
    throw new PodwireError(
      'kubeconfig-failed',
      `the kubeconfig cannot be written to ${access.kubeconfigPath}: ${errorMessage(error)}; choose another file (--kubeconfig)`,
      { cause: error },
    );
  }
  return running;
}
