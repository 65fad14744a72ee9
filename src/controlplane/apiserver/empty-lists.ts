import type { ResourcePath } from './request-path.ts';

/**
 * Kinds that podwire has none of and whose lists kubectl reads on the way to something else: `describe
 * namespace` asks for quotas and limits, `create` of an unknown kind for the definitions that could explain
 * it. An empty list lets it say what it says anywhere; discovery does not offer these kinds.
 */
const EMPTY_LISTS: Readonly<Record<string, string>> = {
  'v1 resourcequotas': 'ResourceQuotaList',
  'v1 limitranges': 'LimitRangeList',
  'apiextensions.k8s.io/v1 customresourcedefinitions': 'CustomResourceDefinitionList',
  'apiextensions.k8s.io/v1beta1 customresourcedefinitions': 'CustomResourceDefinitionList',
};

/** The empty list a request is for; undefined for every other request. */
export function emptyList(method: string, target: ResourcePath): unknown {
  const kind = EMPTY_LISTS[`${target.apiVersion} ${target.resource}`];
  if (kind === undefined || method !== 'GET' || target.name !== undefined) return undefined;
  return { kind, apiVersion: target.apiVersion, metadata: { resourceVersion: '' }, items: [] };
}
