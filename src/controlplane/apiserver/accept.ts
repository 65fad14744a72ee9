import { apiError } from '../../api/status-errors.ts';

/** One entry of an Accept header. */
interface MediaRange {
  readonly type: string;
  readonly params: ReadonlyMap<string, string>;
  readonly quality: number;
}

/** How an answer is to look. */
export type Presentation =
  | { readonly kind: 'object' }
  | { readonly kind: 'table'; readonly version: 'v1' | 'v1beta1' }
  | { readonly kind: 'metadata' };

const META_GROUP = 'meta.k8s.io';

/** The first form the client asks for that is offered. Throws 406 when there is none. */
export function presentation(accept: string | undefined): Presentation {
  for (const { type, params } of parseAccept(accept)) {
    if (type !== 'application/json' && type !== 'application/*' && type !== '*/*') continue;
    const as = params.get('as');
    if (as === undefined) return { kind: 'object' };
    const version = params.get('v');
    if (params.get('g') !== META_GROUP || (version !== 'v1' && version !== 'v1beta1')) continue;
    if (as === 'Table') return { kind: 'table', version };
    if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList')
      return { kind: 'metadata' };
  }
  throw notAcceptable();
}

function notAcceptable(): Error {
  return apiError(
    406,
    'NotAcceptable',
    'only the following media types are accepted: application/json',
  );
}

/** Whether aggregated discovery is wanted, and in which version. */
export function discoveryVersion(accept: string | undefined): 'v2' | 'v2beta1' | undefined {
  for (const { type, params } of parseAccept(accept)) {
    if (type !== 'application/json' && type !== 'application/*' && type !== '*/*') continue;
    if (!params.has('as')) return undefined;
    const version = params.get('v');
    if (
      params.get('g') === 'apidiscovery.k8s.io' &&
      params.get('as') === 'APIGroupDiscoveryList' &&
      (version === 'v2' || version === 'v2beta1')
    )
      return version;
  }
  return undefined;
}

/** By quality, then as written. */
function parseAccept(accept: string | undefined): MediaRange[] {
  const text = accept === undefined || accept.trim() === '' ? '*/*' : accept;
  return text
    .split(',')
    .map((part) => {
      const [type = '', ...params] = part.split(';').map((piece) => piece.trim());
      const map = new Map(
        params.map((param) => {
          const [key = '', value = ''] = param.split('=');
          return [key.trim(), value.trim()] as const;
        }),
      );
      const quality = Number(map.get('q') ?? '1');
      return { type, params: map, quality: Number.isNaN(quality) ? 0 : quality };
    })
    .filter(({ quality }) => quality > 0)
    .toSorted((a, b) => b.quality - a.quality);
}
