import { isJsonObject } from '../../../src/api/json.ts';
import type { Random } from '../../../src/base/random.ts';
import type { CallOptions } from './api-harness.ts';

export interface FuzzedRequest {
  readonly method: string;
  readonly url: string;
  readonly options: CallOptions;
}

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
const TYPES = [
  'application/json',
  'application/yaml',
  'application/vnd.kubernetes.protobuf',
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
  'text/plain',
] as const;
const ACCEPTS = [
  'application/json',
  'application/json;as=Table;v=v1;g=meta.k8s.io,application/json',
  'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io',
  '*/*',
  'nonsense;;=',
] as const;
const QUERIES = [
  'dryRun=All',
  'fieldManager=fuzz',
  'force=true',
  'fieldValidation=Strict',
  'fieldValidation=Warn',
  'limit=2',
  'labelSelector=app%20in%20(a,b),!c',
  'labelSelector=%2C%2C',
  'fieldSelector=metadata.name%3Dx',
  'continue=eyJ9',
  'resourceVersion=1',
  'includeObject=Object',
  'propagationPolicy=Foreground',
  'gracePeriodSeconds=0',
] as const;
/** Values that have broken programs before. */
const NASTY: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  2 ** 31,
  2 ** 53,
  1e308,
  '',
  ' ',
  'None',
  '%',
  '100%',
  '\u0000',
  '💥',
  'x'.repeat(300),
  '../../etc',
  '__proto__',
  'constructor',
  [],
  {},
  [null],
  [[]],
  [{}],
  { $patch: 'delete' },
  { $patch: 'replace' },
  { __proto__: null, constructor: { prototype: 1 } },
];

/** A valid object and where it may be sent. */
export interface Sample {
  readonly body: unknown;
  readonly urls: readonly string[];
}

/** One request, made of valid ones and chance: the same random numbers make the same request again. */
export class RequestFuzzer {
  readonly #random: Random;
  readonly #urls: readonly string[];
  readonly #samples: readonly Sample[];

  constructor(random: Random, urls: readonly string[], samples: readonly Sample[]) {
    this.#random = random;
    this.#urls = urls;
    this.#samples = samples;
  }

  next(): FuzzedRequest {
    const sample = this.#pick(this.#samples);
    const fitting = this.#chance(2);
    return {
      method: this.#pick(METHODS),
      url: this.#url(fitting ? sample.urls : this.#urls),
      options: {
        type: fitting && this.#chance(2) ? 'application/json' : this.#pick(TYPES),
        accept: this.#pick(ACCEPTS),
        ...this.#payload(sample.body),
      },
    };
  }

  #payload(sample: unknown): Pick<CallOptions, 'raw' | 'body'> {
    const body: unknown = structuredClone(sample);
    const mutated = this.#chance(8) ? this.#patch(body) : body;
    for (let count = this.#random.below(4); count > 0; count -= 1) this.#mutate(mutated);
    if (!this.#chance(10)) return { body: mutated };
    const bytes = Buffer.from(JSON.stringify(mutated));
    for (let count = this.#random.below(5); count > 0 && bytes.length > 0; count -= 1)
      bytes[this.#random.below(bytes.length)] = this.#random.below(256);
    return { raw: this.#chance(2) ? Buffer.concat([Buffer.from('k8s\0'), bytes]) : bytes };
  }

  #patch(body: unknown): unknown {
    const path = this.#pick([
      '/spec',
      '/metadata/labels',
      '/status',
      '/metadata/name',
      '/spec/ports/0',
      '',
    ]);
    const op = this.#pick(['add', 'remove', 'replace', 'move', 'copy', 'test', 'nope']);
    return [{ op, path, from: '/spec', value: isJsonObject(body) ? body['spec'] : body }];
  }

  #url(candidates: readonly string[]): string {
    let url = this.#pick(candidates);
    if (this.#chance(10))
      url = url.replace(/[^/]+$/, encodeURIComponent(JSON.stringify(this.#pick(NASTY))));
    const queries = Array.from({ length: this.#random.below(3) }, () => this.#pick(QUERIES));
    return queries.length === 0 ? url : `${url}?${queries.join('&')}`;
  }

  /** Changes one place somewhere in the value. */
  #mutate(value: unknown): void {
    let at: unknown = value;
    for (let depth = this.#random.below(7); depth > 0; depth -= 1) {
      const inner = this.#child(at);
      if (typeof inner !== 'object' || inner === null) break;
      at = inner;
    }
    if (Array.isArray(at)) {
      if (this.#chance(2)) at.push(structuredClone(this.#pick(NASTY)));
      else if (at.length > 0)
        at[this.#random.below(at.length)] = structuredClone(this.#pick(NASTY));
      return;
    }
    if (!isJsonObject(at)) return;
    const keys = Object.keys(at);
    const key = keys[this.#random.below(Math.max(1, keys.length))];
    if (key === undefined || this.#chance(6)) at['unknown'] = structuredClone(this.#pick(NASTY));
    else if (this.#chance(4)) delete at[key];
    else at[key] = structuredClone(this.#pick(NASTY));
  }

  #child(value: unknown): unknown {
    if (Array.isArray(value)) return value[this.#random.below(Math.max(1, value.length))];
    if (!isJsonObject(value)) return undefined;
    const keys = Object.keys(value);
    return value[keys[this.#random.below(Math.max(1, keys.length))] ?? ''];
  }

  #pick<T>(items: readonly T[]): T {
    return items[this.#random.below(items.length)] as T;
  }

  #chance(oneIn: number): boolean {
    return this.#random.below(oneIn) === 0;
  }
}
