import { FieldErrors } from '../../api/field-errors.ts';
import { isJsonObject, type JsonObject } from '../../api/json.ts';
import { badRequest, invalid } from '../../api/status-errors.ts';
import { type ApiRequest, type ApiResponse, json } from './http-messages.ts';
import { readObject } from './request-body.ts';
import type { ResourcePath } from './request-path.ts';

/** The one user there is, by the names that a cluster's first administrator has. */
const ADMIN = { username: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] };

interface Review {
  readonly apiVersion: string;
  readonly kind: string;
  /** Adds the status to what was asked. Throws 422 for a question that makes no sense. */
  answer(question: JsonObject, request: ApiRequest): JsonObject;
}

const AUTHORIZATION = 'authorization.k8s.io/v1';
const AUTHENTICATION = 'authentication.k8s.io/v1';

/** What a client may ask about itself (`kubectl auth can-i`, `kubectl auth whoami`): whoever gets in may do everything. */
const REVIEWS: Readonly<Record<string, Review>> = {
  [`${AUTHENTICATION} selfsubjectreviews`]: {
    apiVersion: AUTHENTICATION,
    kind: 'SelfSubjectReview',
    answer: (_, request) => ({ status: { userInfo: userOf(request) } }),
  },
  [`${AUTHORIZATION} selfsubjectaccessreviews`]: {
    apiVersion: AUTHORIZATION,
    kind: 'SelfSubjectAccessReview',
    answer: (question) => ({ spec: accessSpec(question), status: { allowed: true } }),
  },
  [`${AUTHORIZATION} selfsubjectrulesreviews`]: {
    apiVersion: AUTHORIZATION,
    kind: 'SelfSubjectRulesReview',
    answer: (question) => ({ spec: rulesSpec(question), status: ALL_RULES }),
  },
};

/** What the authorizer of system:masters tells. */
const ALL_RULES = {
  resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }],
  nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
  incomplete: false,
};

/** Answers a client's question about itself; undefined for every other request. */
export async function selfReview(
  request: ApiRequest,
  target: ResourcePath,
): Promise<ApiResponse | undefined> {
  const review = REVIEWS[`${target.apiVersion} ${target.resource}`];
  if (
    review === undefined ||
    request.method !== 'POST' ||
    target.name !== undefined ||
    target.namespace !== undefined
  )
    return undefined;
  const question = await readObject(request);
  const { apiVersion, kind } = review;
  if ((question['kind'] ?? kind) !== kind || (question['apiVersion'] ?? apiVersion) !== apiVersion)
    throw badRequest(
      `the object provided is unrecognized: got ${String(question['kind'])} in version ${String(question['apiVersion'])}, expected ${kind} in version ${apiVersion}`,
    );
  return json(201, { kind, apiVersion, metadata: {}, ...review.answer(question, request) });
}

/** As another, where the client says so (Impersonate-User): every user may do everything here. */
function userOf({ headers }: ApiRequest): JsonObject {
  const { 'impersonate-user': username, 'impersonate-group': groups = [] } = headers;
  if (typeof username !== 'string' || username === '') return ADMIN;
  // A header that comes several times is joined by commas.
  const named = [groups].flat().flatMap((text) => text.split(', '));
  return { username, groups: [...named, 'system:authenticated'] };
}

/** ValidateSelfSubjectAccessReviewSpec. */
function accessSpec(question: JsonObject): JsonObject {
  const spec = specOf(question);
  const errors = new FieldErrors();
  const { resourceAttributes, nonResourceAttributes } = spec;
  if (isJsonObject(resourceAttributes) && isJsonObject(nonResourceAttributes))
    errors.invalid(
      'spec.nonResourceAttributes',
      nonResourceAttributes,
      'cannot be specified in combination with resourceAttributes',
    );
  if (!isJsonObject(resourceAttributes) && !isJsonObject(nonResourceAttributes))
    errors.invalid(
      'spec.resourceAttributes',
      undefined,
      'exactly one of nonResourceAttributes or resourceAttributes must be specified',
    );
  refuse(errors, 'SelfSubjectAccessReview');
  return spec;
}

function rulesSpec(question: JsonObject): JsonObject {
  const spec = specOf(question);
  if (typeof spec['namespace'] === 'string' && spec['namespace'] !== '') return spec;
  throw badRequest('no namespace on request');
}

function specOf(question: JsonObject): JsonObject {
  return isJsonObject(question['spec']) ? question['spec'] : {};
}

function refuse(errors: FieldErrors, kind: string): void {
  if (errors.list.length > 0)
    throw invalid({ group: 'authorization.k8s.io', kind }, '', errors.list);
}
