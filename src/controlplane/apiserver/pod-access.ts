import type { IncomingHttpHeaders } from 'node:http';

/** metav1 PodLogOptions, as far as they make sense here. */
export interface PodLogOptions {
  readonly container: string | undefined;
  readonly follow: boolean;
  readonly previous: boolean;
  readonly timestamps: boolean;
  readonly tailLines: number | undefined;
  readonly sinceSeconds: number | undefined;
  readonly limitBytes: number | undefined;
}

export interface PodRef {
  readonly namespace: string;
  readonly name: string;
}

/**
 * What the API server needs of nodes, given by whoever runs both. Refusals are thrown as ApiErrors, for
 * example 400 for a container that does not exist.
 */
export interface PodAccess {
  logs(pod: PodRef, options: PodLogOptions, signal: AbortSignal): AsyncIterable<string | Buffer>;
}

export interface ProxyRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly signal: AbortSignal;
}

export interface ProxyResponse {
  readonly code: number;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly chunks: AsyncIterable<Buffer>;
}

/** Sends a request to an address of the cluster: the dialling half of the proxy subresources. */
export type ForwardHttp = (
  target: { readonly host: string; readonly port: number; readonly tls: boolean },
  request: ProxyRequest,
) => Promise<ProxyResponse>;

/**
 * Answers a request for `nodes/NAME/proxy/PATH`, as a kubelet's own server would. The node exists; rejects when
 * nothing runs there.
 */
export type AskNode = (node: string, request: ProxyRequest) => Promise<ProxyResponse>;
