import type { ApiResponse } from './http-messages.ts';

const HEALTH_PATHS: readonly string[] = ['/healthz', '/livez', '/readyz'];
/** What is looked at. A server that answers at all has its store: there is none without it. */
const CHECKS = ['ping', 'etcd'];

export function isHealthPath(path: string): boolean {
  return HEALTH_PATHS.includes(path);
}

/** `ok`, or with `?verbose` a line a check (apiserver/pkg/server/healthz); `?exclude=` leaves some out. */
export function healthAnswer(path: string, query: URLSearchParams): ApiResponse {
  const excluded = query.getAll('exclude');
  const lines = CHECKS.map((name) =>
    excluded.includes(name) ? `[+]${name} excluded: ok\n` : `[+]${name} ok\n`,
  );
  return {
    kind: 'raw',
    code: 200,
    contentType: 'text/plain; charset=utf-8',
    body: query.has('verbose') ? `${lines.join('')}${path.slice(1)} check passed\n` : 'ok',
  };
}
