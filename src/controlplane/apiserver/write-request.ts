import { formatApiVersion } from '../../api/kind.ts';
import type { ServedKind } from '../../api/kinds.ts';
import { trackUpdate, type Writer } from '../../api/managed-fields/managers.ts';
import { messageSchema } from '../../api/schema/schema.ts';
import { apiError, badRequest } from '../../api/status-errors.ts';
import type { KubeObject } from '../../api/types/meta.ts';
import type { Clock } from '../../base/clock.ts';
import type { FieldValidation, UpdateOptions } from '../registry/write-options.ts';
import type { ApiRequest } from './http-messages.ts';
import { formatTimestamp } from '../../base/timestamp.ts';

const MAX_MANAGER_LENGTH = 128;
const VALIDATIONS: readonly string[] = ['Ignore', 'Warn', 'Strict'];

/** What every writing request may say in its query, and what it collects on the way. */
export interface WriteRequest {
  readonly options: UpdateOptions;
  readonly writer: Writer;
  readonly warnings: string[];
}

/** Throws 400 or 422 for options that make no sense. */
export function writeRequest(
  request: ApiRequest,
  served: ServedKind,
  clock: Clock,
  subresource?: 'status',
): WriteRequest {
  const { version } = served;
  const warnings: string[] = [];
  const writer: Writer = {
    manager: fieldManager(request),
    apiVersion: formatApiVersion(version),
    time: formatTimestamp(clock.wallNow()),
    subresource,
  };
  const options: UpdateOptions = {
    version,
    dryRun: isDryRun(request),
    fieldValidation: fieldValidation(request),
    onWarning: (text) => warnings.push(text),
    subresource,
    beforeStore: (draft, old) => track(draft, old, served, writer),
  };
  return { options, writer, warnings };
}

/** Keeps managedFields true for writes other than apply. */
function track(
  draft: KubeObject,
  old: KubeObject | undefined,
  served: ServedKind,
  writer: Writer,
): void {
  const entries = trackUpdate(messageSchema(served.kind.message), old, draft, writer);
  if (entries.length === 0) delete draft.metadata.managedFields;
  else draft.metadata.managedFields = entries;
}

export function isDryRun(request: ApiRequest, body?: unknown): boolean {
  const values = [
    ...request.query.getAll('dryRun'),
    ...(Array.isArray(body) ? body.map(String) : []),
  ];
  for (const value of values)
    if (value !== 'All')
      throw badRequest(`Invalid value: ["${value}"]: dryRun: supported values: "All"`);
  return values.length > 0;
}

function fieldValidation(request: ApiRequest): FieldValidation {
  const value = request.query.get('fieldValidation') ?? '';
  if (value === '') return 'Warn';
  if (!VALIDATIONS.includes(value))
    throw apiError(
      422,
      'Invalid',
      `fieldValidation: Unsupported value: "${value}": supported values: "Ignore", "Strict", "Warn"`,
    );
  return value as FieldValidation;
}

/** Named in the query, else the client program's name. */
function fieldManager(request: ApiRequest): string {
  const named = request.query.get('fieldManager') ?? '';
  if (named.length > MAX_MANAGER_LENGTH)
    throw apiError(
      422,
      'Invalid',
      `fieldManager: Too long: may not be more than ${MAX_MANAGER_LENGTH} bytes`,
    );
  if (named !== '') return named;
  const agent = request.headers['user-agent']?.split('/')[0] ?? '';
  return agent === '' ? 'unknown' : agent.slice(0, MAX_MANAGER_LENGTH);
}
