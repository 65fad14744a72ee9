/** What a URL path asks for. */
export type RequestPath =
  | { readonly kind: 'resource'; readonly target: ResourcePath }
  /** `/api`, `/apis`, `/api/v1`, `/apis/apps`, `/apis/apps/v1`. */
  | {
      readonly kind: 'discovery';
      readonly prefix: 'api' | 'apis';
      readonly parts: readonly string[];
    }
  | { readonly kind: 'other'; readonly path: string };

export interface ResourcePath {
  /** `apps/v1`. */
  readonly apiVersion: string;
  readonly resource: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
  /** What follows the subresource, for proxies: `/index.html`, or empty. */
  readonly rest: string;
}

/** Splits a path as k8s.io/apiserver's RequestInfoFactory does; undefined when an escape is malformed. */
export function parseRequestPath(path: string): RequestPath | undefined {
  let parts: string[];
  try {
    parts = path
      .split('/')
      .filter((part) => part !== '')
      .map(decodeURIComponent);
  } catch {
    return undefined;
  }
  const [prefix] = parts;
  if (prefix !== 'api' && prefix !== 'apis') return { kind: 'other', path };
  const versionParts = prefix === 'api' ? 2 : 3;
  if (parts.length <= versionParts) return { kind: 'discovery', prefix, parts: parts.slice(1) };
  const apiVersion = parts.slice(1, versionParts).join('/');
  return { kind: 'resource', target: resourcePath(apiVersion, parts.slice(versionParts), path) };
}

function resourcePath(apiVersion: string, parts: readonly string[], path: string): ResourcePath {
  // `/namespaces/x/pods` is a namespaced resource; `/namespaces/x` and its own subresources are not.
  const isNamespaced =
    parts[0] === 'namespaces' && parts.length > 2 && !isNamespaceSubresource(parts[2]);
  const [resource = '', name, subresource] = isNamespaced ? parts.slice(2) : parts;
  return {
    apiVersion,
    resource,
    namespace: isNamespaced ? parts[1] : undefined,
    name,
    subresource,
    rest: restAfter(path, (isNamespaced ? 5 : 3) + apiVersion.split('/').length + 1),
  };
}

function isNamespaceSubresource(part: string | undefined): boolean {
  return part === 'status' || part === 'finalize';
}

/** The raw text after so many path segments, with its slash. */
function restAfter(path: string, segments: number): string {
  let at = 0;
  for (let index = 0; index < segments; index += 1) {
    at = path.indexOf('/', at + 1);
    if (at === -1) return '';
  }
  return path.slice(at);
}
