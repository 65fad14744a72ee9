/** A question or an order rather than an object: it can be created, which answers it, and is never stored. */
export interface CreateOnlyResource {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly singular: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** In the field table, for bodies in protobuf. */
  readonly message: string;
}

export const CREATE_ONLY: readonly CreateOnlyResource[] = [
  {
    group: '',
    version: 'v1',
    resource: 'bindings',
    singular: 'binding',
    kind: 'Binding',
    namespaced: true,
    message: 'core.v1.Binding',
  },
  {
    group: 'authentication.k8s.io',
    version: 'v1',
    resource: 'selfsubjectreviews',
    singular: 'selfsubjectreview',
    kind: 'SelfSubjectReview',
    namespaced: false,
    message: 'authentication.v1.SelfSubjectReview',
  },
  {
    group: 'authorization.k8s.io',
    version: 'v1',
    resource: 'selfsubjectaccessreviews',
    singular: 'selfsubjectaccessreview',
    kind: 'SelfSubjectAccessReview',
    namespaced: false,
    message: 'authorization.v1.SelfSubjectAccessReview',
  },
  {
    group: 'authorization.k8s.io',
    version: 'v1',
    resource: 'selfsubjectrulesreviews',
    singular: 'selfsubjectrulesreview',
    kind: 'SelfSubjectRulesReview',
    namespaced: false,
    message: 'authorization.v1.SelfSubjectRulesReview',
  },
];
