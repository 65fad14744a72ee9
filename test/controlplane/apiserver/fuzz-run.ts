import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonObject } from '../../../src/api/json.ts';
import { formatApiVersion, type KindDefinition, type KindVersion } from '../../../src/api/kind.ts';
import { KINDS } from '../../../src/api/kinds.ts';
import { seededRandom } from '../../../src/base/random.ts';
import { example, fixture } from '../support.ts';
import { ApiHarness } from './api-harness.ts';
import { type FuzzedRequest, RequestFuzzer } from './request-fuzzer.ts';

const EXAMPLES = join(import.meta.dirname, '../../../examples');

export interface FuzzReport {
  /** How often each HTTP status was the answer. */
  readonly codes: ReadonlyMap<number, number>;
  /** Requests that were answered with a 500, or not at all. */
  readonly failures: readonly { readonly request: FuzzedRequest; readonly answer: unknown }[];
}

/** Sends so many mutated requests to an API of its own. */
export async function fuzzApi(seed: string, count: number): Promise<FuzzReport> {
  const manifests = [...readdirSync(EXAMPLES).map(example), fixture('rich.yaml')];
  const samples = manifests.flatMap((manifest) =>
    manifest.objects.map(({ object, served }) => ({
      body: object,
      urls: urlsOf(served.kind, served.version, nameOf(object)),
    })),
  );
  const urls = KINDS.flatMap((kind) =>
    kind.versions.flatMap((version) => urlsOf(kind, version, 'redis-master')),
  );
  const fuzzer = new RequestFuzzer(seededRandom(seed), urls, samples);
  const codes = new Map<number, number>();
  const failures: FuzzReport['failures'][number][] = [];
  await using api = await ApiHarness.start();
  for (let sent = 0; sent < count; sent += 1) {
    const request = fuzzer.next();
    try {
      const answer = await api.respond(request.method, request.url, request.options);
      codes.set(answer.code, (codes.get(answer.code) ?? 0) + 1);
      if (answer.code === 500) failures.push({ request, answer });
    } catch (error) {
      failures.push({ request, answer: error });
    }
  }
  return { codes, failures };
}

function nameOf(object: JsonObject): string {
  const { metadata } = object as { metadata?: { name?: string } };
  return metadata?.name ?? 'nameless';
}

function urlsOf(kind: KindDefinition, version: KindVersion, name: string): string[] {
  const apiVersion = formatApiVersion(version);
  const root = version.group === '' ? `/api/${apiVersion}` : `/apis/${apiVersion}`;
  const base = kind.namespaced ? `${root}/namespaces/default` : root;
  const collection = `${base}/${kind.resource}`;
  const item = `${collection}/${name}`;
  return [collection, item, item, `${item}/status`, `${item}/scale`, `${item}/binding`];
}
