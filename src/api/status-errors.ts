import { ApiError } from './api-error.ts';
import { type FieldError, formatFieldErrors, statusCauses } from './field-errors.ts';
import type { Status, StatusCause } from './types/meta.ts';

/** `deployments.apps`: how messages name a resource. */
export interface GroupResource {
  readonly group: string;
  readonly resource: string;
}

/** `Deployment.apps`. */
export interface GroupKind {
  readonly group: string;
  readonly kind: string;
}

interface StatusOptions {
  readonly details?: Status['details'];
}

/** Any Status; the functions below have the wording of k8s.io/apimachinery/pkg/api/errors. */
export function apiError(
  code: number,
  reason: string,
  message: string,
  options: StatusOptions = {},
): ApiError {
  return new ApiError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    reason,
    ...(options.details === undefined ? {} : { details: options.details }),
    code,
  });
}

/** `deployments.apps`, or `pods` where there is no group. */
export function qualified({ group, resource }: GroupResource): string {
  return group === '' ? resource : `${resource}.${group}`;
}

function resourceDetails(target: GroupResource, name: string): Status['details'] {
  return {
    name,
    ...(target.group === '' ? {} : { group: target.group }),
    kind: target.resource,
  };
}

/** 404. */
export function notFound(target: GroupResource, name: string): ApiError {
  return apiError(404, 'NotFound', `${qualified(target)} "${name}" not found`, {
    details: resourceDetails(target, name),
  });
}

/** 409: a create of what is there. */
export function alreadyExists(target: GroupResource, name: string): ApiError {
  return apiError(409, 'AlreadyExists', `${qualified(target)} "${name}" already exists`, {
    details: resourceDetails(target, name),
  });
}

export const STALE_OBJECT =
  'the object has been modified; please apply your changes to the latest version and try again';

/** 409: a write of what has changed meanwhile, or whose preconditions do not hold. */
export function conflict(target: GroupResource, name: string, why: string): ApiError {
  return apiError(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${qualified(target)} "${name}": ${why}`,
    { details: resourceDetails(target, name) },
  );
}

/** 422: what validation says, each error with its field as a cause. */
export function invalid(kind: GroupKind, name: string, errors: readonly FieldError[]): ApiError {
  const label = kind.group === '' ? kind.kind : `${kind.kind}.${kind.group}`;
  return apiError(422, 'Invalid', `${label} "${name}" is invalid: ${formatFieldErrors(errors)}`, {
    details: {
      name,
      ...(kind.group === '' ? {} : { group: kind.group }),
      kind: kind.kind,
      causes: statusCauses(errors),
    },
  });
}

/** 403: an admission refuses. */
export function forbidden(
  target: GroupResource,
  name: string,
  why: string,
  causes?: StatusCause[],
): ApiError {
  return apiError(403, 'Forbidden', `${qualified(target)} "${name}" is forbidden: ${why}`, {
    details: {
      ...resourceDetails(target, name),
      ...(causes === undefined ? {} : { causes }),
    },
  });
}

/** 400: the request itself cannot be read. */
export function badRequest(message: string): ApiError {
  return apiError(400, 'BadRequest', message);
}

/** A watch or continue token older than the history that is kept. */
export function expired(message: string): ApiError {
  return apiError(410, 'Expired', message);
}

/** For callers that go on after a certain refusal: `isApiError(error, 'NotFound')`. */
export function isApiError(error: unknown, reason: string): error is ApiError {
  return error instanceof ApiError && error.reason === reason;
}
