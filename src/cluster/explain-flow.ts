import { type ManifestObject, parseManifest } from '../api/manifest.ts';
import { DecodeError, decodeObject } from '../api/schema/decode.ts';
import { messageSchema } from '../api/schema/schema.ts';
import type { Node, Service } from '../api/types/core.ts';
import type { EndpointSlice } from '../api/types/discovery.ts';
import type { ServiceCidr } from '../api/types/other.ts';
import { errorMessage } from '../base/errors.ts';
import { type ExplainFlags, explainRequest } from '../node/explain-request.ts';
import { FlagError } from '../node/proxy-flags.ts';

export type { ExplainFlags } from '../node/explain-request.ts';

type Explanation = Awaited<ReturnType<typeof explainRequest>>;

export type ExplainOutcome =
  | {
      readonly kind: 'explained';
      readonly explanation: Explanation;
      /** What the manifests hold that was not looked at. */
      readonly warnings: readonly string[];
    }
  /** One line a problem, each with the flag or the place in a manifest. */
  | { readonly kind: 'invalid'; readonly problems: readonly string[] };

/** What a node's proxy would do with a flow, from manifests and flags. */
export async function explainFlow(
  manifests: readonly { readonly path: string; readonly text: string }[],
  flags: ExplainFlags,
): Promise<ExplainOutcome> {
  const objects = { services: [], slices: [], nodes: [], serviceCIDRs: [] } satisfies Collected;
  const warnings: string[] = [];
  const problems: string[] = [];
  for (const { path, text } of manifests) {
    const manifest = parseManifest(text, path);
    // Kinds that podwire does not know are no business of a proxy.
    for (const { position, field, message } of manifest.errors)
      (field === 'kind' ? warnings : problems).push(
        `${position.file}:${position.line}: ${message}`,
      );
    for (const object of manifest.objects) collect(object, objects, problems);
  }
  if (problems.length > 0) return { kind: 'invalid', problems };
  try {
    return { kind: 'explained', explanation: await explainRequest(objects, flags), warnings };
  } catch (error) {
    if (error instanceof FlagError) return { kind: 'invalid', problems: [error.message] };
    throw error;
  }
}

interface Collected {
  readonly services: Service[];
  readonly slices: EndpointSlice[];
  readonly nodes: Node[];
  readonly serviceCIDRs: ServiceCidr[];
}

function collect(manifest: ManifestObject, objects: Collected, problems: string[]): void {
  const { kind, version } = manifest.served;
  const list = {
    Service: objects.services,
    EndpointSlice: objects.slices,
    Node: objects.nodes,
    ServiceCIDR: objects.serviceCIDRs,
  }[kind.kind];
  if (list === undefined) return;
  try {
    const schema = messageSchema(version.message ?? kind.message);
    const decoded: unknown = decodeObject(schema, manifest.object).object;
    (list as unknown[]).push(decoded);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    const { file, line } = manifest.position;
    problems.push(`${file}:${line}: ${kind.kind}: ${errorMessage(error)}`);
  }
}
