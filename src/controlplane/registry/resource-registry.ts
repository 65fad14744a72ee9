import { FieldErrors } from '../../api/field-errors.ts';
import { matchesFields, parseFieldSelector } from '../../api/field-selector.ts';
import { equalJson, type JsonObject } from '../../api/json.ts';
import {
  formatApiVersion,
  groupKind,
  groupResource,
  type KindDefinition,
  type KindVersion,
} from '../../api/kind.ts';
import { matchesLabels, parseLabelSelector } from '../../api/label-selector.ts';
import {
  alreadyExists,
  badRequest,
  conflict,
  forbidden,
  invalid,
  notFound,
  STALE_OBJECT,
} from '../../api/status-errors.ts';
import type { KubeObject } from '../../api/types/meta.ts';
import type { Clock } from '../../base/clock.ts';
import { errorMessage } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import { AllocationTransaction } from '../../ipam/allocation-transaction.ts';
import { revisionOf, type Store, type StoreKey } from '../store/store.ts';
import type { Admission } from './admission.ts';
import { decodeInput } from './decode-input.ts';
import { isFinished, markDeleted } from './deletion.ts';
import {
  carryOverSystemFields,
  clearSystemFields,
  generateName,
  uuid,
  validateObjectMeta,
  validateObjectMetaUpdate,
} from './object-meta.ts';
import { copyStatus, specOf, withStatusOf } from './object-parts.ts';
import {
  type BookmarkEvent,
  type BookmarkOptions,
  type ObjectEvent,
  watchStream,
} from './watch-stream.ts';
import type { DeleteRequest, Selection, UpdateOptions, WriteOptions } from './write-options.ts';
import { formatTimestamp } from '../../base/timestamp.ts';

export interface RegistryContext {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  /** Events a slow watcher may be behind. */
  readonly watchBacklog: number;
}

/** How often a generated name may collide (KEP-4420). */
const MAX_NAME_ATTEMPTS = 8;

/**
 * The one way to read and write objects of a kind: decode, default, admit, validate, store. Controllers,
 * nodes and HTTP clients all come through here. Refusals are thrown as ApiErrors.
 */
export class ResourceRegistry {
  readonly kind: KindDefinition;
  readonly #context: RegistryContext;
  readonly #admissions: readonly Admission[];

  constructor(
    kind: KindDefinition,
    context: RegistryContext,
    admissions: readonly Admission[] = [],
  ) {
    this.kind = kind;
    this.#context = context;
    this.#admissions = admissions;
  }

  get revision(): number {
    return this.#context.store.revision;
  }

  /** Undefined when there is none. */
  find(name: string, namespace: string | undefined): KubeObject | undefined {
    return this.#context.store.get(this.#key(name, namespace));
  }

  get(name: string, namespace: string | undefined): KubeObject {
    const object = this.find(name, namespace);
    if (object === undefined) throw notFound(groupResource(this.kind), name);
    return object;
  }

  /** In the order of names. */
  list(selection: Selection = {}): readonly KubeObject[] {
    const { namespace = '' } = selection;
    const objects = this.#context.store.list(
      this.kind.storagePrefix,
      namespace === '' ? '' : `${namespace}/`,
    );
    const selects = this.selector(selection);
    return selects === undefined ? objects : objects.filter(selects);
  }

  watch(
    selection: Selection,
    afterRevision: number,
    signal: AbortSignal,
    bookmarks?: BookmarkOptions,
  ): AsyncGenerator<ObjectEvent | BookmarkEvent> {
    const { namespace = '' } = selection;
    const selects = this.selector(selection);
    return watchStream({
      store: this.#context.store,
      resource: this.kind.storagePrefix,
      afterRevision,
      signal,
      maxBacklog: this.#context.watchBacklog,
      bookmarks,
      selects: (object) =>
        (namespace === '' || object.metadata.namespace === namespace) &&
        (selects === undefined || selects(object)),
    });
  }

  /** What the selectors take; undefined when there are none. Throws 400 for text that is no selector. */
  selector({
    labelSelector = '',
    fieldSelector = '',
  }: Selection): ((object: KubeObject) => boolean) | undefined {
    if (labelSelector === '' && fieldSelector === '') return undefined;
    try {
      const labels = parseLabelSelector(labelSelector);
      const fields = parseFieldSelector(fieldSelector, this.kind);
      return (object) =>
        matchesLabels(labels, object.metadata.labels) && matchesFields(fields, object, this.kind);
    } catch (error) {
      throw badRequest(errorMessage(error));
    }
  }

  /** `input` is JSON in `options.version`; the namespace in it counts. */
  async create(input: unknown, options: WriteOptions = {}): Promise<KubeObject> {
    for (let attempt = 1; ; attempt += 1) {
      const draft = this.decode(input, options);
      const generated = (draft.metadata.name ?? '') === '';
      const outcome = await this.#createOnce(draft, options);
      if (outcome !== undefined) return outcome;
      if (!generated || attempt === MAX_NAME_ATTEMPTS)
        throw alreadyExists(groupResource(this.kind), draft.metadata.name ?? '');
    }
  }

  async #createOnce(draft: KubeObject, options: WriteOptions): Promise<KubeObject | undefined> {
    const { clock, random } = this.#context;
    const base = draft.metadata.generateName ?? '';
    clearSystemFields(draft.metadata);
    if ((draft.metadata.name ?? '') === '' && base !== '')
      draft.metadata.name = generateName(base, random);
    const key = this.#key(draft.metadata.name ?? '', draft.metadata.namespace);
    // Told before the allocators are asked, so that a second create says what is wrong.
    if (this.#context.store.get(key) !== undefined) return undefined;
    this.#applyDefaults(draft, options.version);
    this.kind.prepareForCreate?.(draft);
    draft.metadata.uid = uuid(random);
    draft.metadata.creationTimestamp = formatTimestamp(clock.wallNow());
    if (this.kind.hasGeneration) draft.metadata.generation = 1;
    const transaction = new AllocationTransaction();
    try {
      const errors = new FieldErrors();
      validateObjectMeta(draft.metadata, this.kind, errors);
      this.kind.validate?.(draft, { errors, apiVersion: this.#writtenIn(options) });
      this.#refuse(draft, errors);
      for (const admission of this.#admissions) admission.create?.(draft, { transaction, errors });
      this.#refuse(draft, errors);
      options.beforeStore?.(draft, undefined);
      if (options.dryRun === true) return draft;
      const outcome = await this.#context.store.commit({ key, expected: 0, object: draft });
      if (outcome.kind === 'conflict') return undefined;
      transaction.commit();
      return outcome.object;
    } finally {
      transaction.rollback();
    }
  }

  /** Reads, changes and writes; again when someone else was faster and the change does not insist. */
  async update(
    name: string,
    namespace: string | undefined,
    change: (current: KubeObject) => unknown,
    options: UpdateOptions = {},
  ): Promise<KubeObject> {
    for (;;) {
      const current = this.get(name, namespace);
      const outcome = await this.#updateOnce(current, change(current), options);
      if (outcome !== undefined) return outcome;
    }
  }

  async #updateOnce(
    current: KubeObject,
    input: unknown,
    options: UpdateOptions,
  ): Promise<KubeObject | undefined> {
    const decoded = this.decode(input, options);
    this.#checkPreconditions(current, decoded.metadata);
    const next = options.subresource === 'status' ? withStatusOf(current, decoded) : decoded;
    carryOverSystemFields(next, current);
    if (options.subresource !== 'status') {
      if (options.trusted !== true) {
        if (this.kind.hasStatus) copyStatus(next, current);
        this.kind.prepareForUpdate?.(next, current);
      }
    }
    this.#applyDefaults(next, options.version);
    const transaction = new AllocationTransaction();
    try {
      this.#validateUpdate(next, current, options, transaction);
      if (this.kind.hasGeneration && !equalJson(specOf(next), specOf(current)))
        next.metadata.generation = (current.metadata.generation ?? 0) + 1;
      if (equalJson(next, current)) return current;
      options.beforeStore?.(next, current);
      if (options.dryRun === true) return next;
      const gone = isFinished(next, this.kind);
      const outcome = await this.#context.store.commit({
        key: this.#keyOf(current),
        expected: revisionOf(current),
        object: gone ? undefined : next,
      });
      if (outcome.kind === 'conflict') return undefined;
      transaction.commit();
      if (gone) this.#removed(outcome.object);
      return outcome.object;
    } finally {
      transaction.rollback();
    }
  }

  #validateUpdate(
    next: KubeObject,
    current: KubeObject,
    options: UpdateOptions,
    transaction: AllocationTransaction,
  ): void {
    const errors = new FieldErrors();
    const context = { errors, apiVersion: this.#writtenIn(options) };
    validateObjectMeta(next.metadata, this.kind, errors);
    validateObjectMetaUpdate(next.metadata, current.metadata, errors);
    if (options.subresource !== 'status' && options.trusted !== true) {
      this.kind.validateUpdate?.(next, current, context);
      this.kind.validate?.(next, context);
    }
    this.#refuse(next, errors);
    if (options.subresource === 'status') return;
    for (const admission of this.#admissions)
      admission.update?.(next, current, { transaction, errors });
    this.#refuse(next, errors);
  }

  /** The object as it was left: gone, or marked and waiting for its grace period or finalizers. */
  async delete(
    name: string,
    namespace: string | undefined,
    request: DeleteRequest = {},
  ): Promise<{ readonly object: KubeObject; readonly gone: boolean }> {
    for (;;) {
      const current = this.get(name, namespace);
      this.#checkPreconditions(current, request.preconditions ?? {});
      const why = this.kind.undeletable?.(current);
      if (why !== undefined) throw forbidden(groupResource(this.kind), name, why);
      const marked = markDeleted(current, request, this.kind, this.#context.clock.wallNow());
      const gone = isFinished(marked, this.kind);
      if (!gone && equalJson(marked, current)) return { object: current, gone: false };
      if (request.dryRun === true) return { object: marked, gone };
      const outcome = await this.#context.store.commit({
        key: this.#keyOf(current),
        expected: revisionOf(current),
        object: gone ? undefined : marked,
      });
      if (outcome.kind === 'conflict') continue;
      if (gone) this.#removed(outcome.object);
      return { object: outcome.object, gone };
    }
  }

  /** As {@link decodeInput}, for this kind. */
  decode(input: unknown, options: WriteOptions = {}): KubeObject {
    return decodeInput(this.kind, input, options);
  }

  #writtenIn(options: WriteOptions): string {
    return formatApiVersion(options.version ?? this.kind.versions[0]);
  }

  #applyDefaults(draft: KubeObject, version: KindVersion | undefined): void {
    version?.defaults?.(draft as KubeObject & JsonObject);
    this.kind.defaults?.(draft);
  }

  #checkPreconditions(
    current: KubeObject,
    wanted: { readonly uid?: string | undefined; readonly resourceVersion?: string | undefined },
  ): void {
    const { name = '', uid, resourceVersion } = current.metadata;
    if ((wanted.uid ?? '') !== '' && wanted.uid !== uid)
      throw conflict(
        groupResource(this.kind),
        name,
        `Precondition failed: UID in precondition: ${wanted.uid}, UID in object meta: ${uid}`,
      );
    if ((wanted.resourceVersion ?? '') !== '' && wanted.resourceVersion !== resourceVersion)
      throw conflict(groupResource(this.kind), name, STALE_OBJECT);
  }

  #refuse(draft: KubeObject, errors: FieldErrors): void {
    if (errors.list.length > 0)
      throw invalid(groupKind(this.kind), draft.metadata.name ?? '', errors.list);
  }

  #removed(object: KubeObject): void {
    for (const admission of this.#admissions) admission.removed?.(object);
  }

  #key(name: string, namespace: string | undefined): StoreKey {
    return {
      resource: this.kind.storagePrefix,
      name: this.kind.namespaced ? `${namespace ?? ''}/${name}` : name,
    };
  }

  #keyOf(object: KubeObject): StoreKey {
    return this.#key(object.metadata.name ?? '', object.metadata.namespace);
  }
}
