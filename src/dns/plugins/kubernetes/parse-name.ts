import { labelsOf } from '../../message/name.ts';

/** What a name below a cluster zone asks for (coredns plugin/kubernetes/parse.go). */
export type ClusterName =
  /** The zone itself, `svc` or `pod`: exist, hold nothing. */
  | { readonly kind: 'node' }
  | { readonly kind: 'namespace'; readonly namespace: string }
  | { readonly kind: 'pod'; readonly namespace: string; readonly pod: string }
  | ServiceName
  | { readonly kind: 'invalid' };

export interface ServiceName {
  readonly kind: 'service';
  readonly namespace: string;
  readonly service: string;
  /** Label of one endpoint. */
  readonly endpoint?: string;
  /** Cluster of the endpoint, in multicluster zones. */
  readonly cluster?: string;
  /** Without the underscore. */
  readonly port?: string;
  readonly protocol?: string;
  /** `ZONE.pin|prefer._zone.SVC…`: endpoints of one topology zone. */
  readonly zonal?: { readonly zone: string; readonly mode: 'pin' | 'prefer' };
}

export interface NameRules {
  readonly multicluster: boolean;
  readonly zonal: boolean;
}

/** `name` and `zone` folded, `name` inside `zone`. */
export function parseClusterName(name: string, zone: string, rules: NameRules): ClusterName {
  const labels = labelsOf(zone === '.' ? name : name.slice(0, name.length - zone.length));
  const branch = labels.pop();
  if (branch === undefined) return { kind: 'node' };
  if (branch !== 'svc' && branch !== 'pod') return { kind: 'invalid' };
  const namespace = labels.pop();
  if (namespace === undefined) return { kind: 'node' };
  const object = labels.pop();
  if (object === undefined) return { kind: 'namespace', namespace };
  if (branch === 'pod')
    return labels.length > 2 ? { kind: 'invalid' } : { kind: 'pod', namespace, pod: object };
  return parseServiceRest(labels, { kind: 'service', namespace, service: object }, rules);
}

function parseServiceRest(labels: string[], base: ServiceName, rules: NameRules): ClusterName {
  const [first, second, third] = labels;
  if (first === undefined) return base;
  if (second === undefined) return { ...base, endpoint: first };
  if (third !== undefined) {
    const zonal = rules.zonal && labels.length === 3 && third === '_zone';
    return zonal && (second === 'pin' || second === 'prefer')
      ? { ...base, zonal: { zone: first, mode: second } }
      : { kind: 'invalid' };
  }
  if (rules.multicluster && !first.startsWith('_') && !second.startsWith('_'))
    return { ...base, endpoint: first, cluster: second };
  return { ...base, port: withoutUnderscore(first), protocol: withoutUnderscore(second) };
}

function withoutUnderscore(label: string): string {
  return label.startsWith('_') ? label.slice(1) : label;
}
