import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { ForwardHttp } from '../controlplane/apiserver/pod-access.ts';

/** An address that says nothing for so long is given up. */
const TIMEOUT_MS = 30_000;

/** Sends proxied requests from the API server; `portOf` says where a pod's port really listens. */
export function forwardHttp(portOf: (host: string, port: number) => number): ForwardHttp {
  return ({ host, port, tls }, { method, path, headers, body, signal }) =>
    new Promise((resolve, reject) => {
      const start = tls ? httpsRequest : httpRequest;
      const outgoing = start(
        {
          host,
          port: portOf(host, port),
          method,
          path,
          headers,
          signal,
          timeout: TIMEOUT_MS,
          // Pods' certificates are their own affair, as they are for the real API server.
          ...(tls ? { rejectUnauthorized: false } : {}),
          agent: false,
        },
        (response) =>
          resolve({
            code: response.statusCode ?? 502,
            headers: plainHeaders(response),
            chunks: response as AsyncIterable<Buffer>,
          }),
      );
      outgoing.once('timeout', () => outgoing.destroy(new Error('no answer in time')));
      outgoing.once('error', reject);
      outgoing.end(body);
    });
}

function plainHeaders(response: IncomingMessage): Record<string, string | string[]> {
  return Object.fromEntries(
    Object.entries(response.headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value]],
    ),
  );
}
