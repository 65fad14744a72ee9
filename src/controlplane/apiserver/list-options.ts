import { FieldErrors } from '../../api/field-errors.ts';
import { badRequest, invalid } from '../../api/status-errors.ts';

const MATCH = 'resourceVersionMatch';
const INITIAL = 'sendInitialEvents';

/** ValidateListOptions (apimachinery, internalversion/validation) for a list. Throws 422, or 400. */
export function checkListOptions(query: URLSearchParams): void {
  const errors = new FieldErrors();
  const version = query.get('resourceVersion') ?? '';
  const match = query.get(MATCH) ?? '';
  const isContinued = (query.get('continue') ?? '') !== '';
  if (match !== '') {
    if (version === '')
      errors.forbidden(MATCH, `${MATCH} is forbidden unless resourceVersion is provided`);
    if (isContinued) errors.forbidden(MATCH, `${MATCH} is forbidden when continue is provided`);
    if (match !== 'Exact' && match !== 'NotOlderThan')
      errors.notSupported(MATCH, match, ['Exact', 'NotOlderThan', '']);
    if (match === 'Exact' && version === '0')
      errors.forbidden(MATCH, `${MATCH} "exact" is forbidden for resourceVersion "0"`);
  }
  if (query.has(INITIAL)) errors.forbidden(INITIAL, `${INITIAL} is forbidden for list`);
  refuse(errors);
  if (isContinued && version !== '' && version !== '0')
    throw badRequest('specifying resource version is not allowed when using continue');
}

/** The same for a watch. Throws 422. */
export function checkWatchOptions(query: URLSearchParams): void {
  const errors = new FieldErrors();
  const match = query.get(MATCH) ?? '';
  if (query.has(INITIAL) && match !== 'NotOlderThan')
    errors.forbidden(MATCH, `${INITIAL} requires setting ${MATCH} to NotOlderThan`);
  if (match !== '') {
    if (!query.has(INITIAL))
      errors.forbidden(MATCH, `${MATCH} is forbidden for watch unless ${INITIAL} is provided`);
    if (match !== 'NotOlderThan') errors.notSupported(MATCH, match, ['NotOlderThan']);
    if ((query.get('continue') ?? '') !== '')
      errors.forbidden(MATCH, `${MATCH} is forbidden when continue is provided`);
  }
  refuse(errors);
}

function refuse(errors: FieldErrors): void {
  if (errors.list.length > 0)
    throw invalid({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', errors.list);
}
