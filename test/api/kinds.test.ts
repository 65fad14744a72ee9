// Every kind has the one shape that docs/adding-a-kind.md describes, and the documentation shows real code.
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isJsonObject, type JsonObject } from '../../src/api/json.ts';
import { formatApiVersion, type KindDefinition } from '../../src/api/kind.ts';
import { findKind, findResource, kindOfResource, KINDS } from '../../src/api/kinds.ts';
import { type MessageSchema, messageSchema } from '../../src/api/schema/schema.ts';

const ROOT = resolve(import.meta.dirname, '../..');

const named = KINDS.map((kind) => [kind.kind, kind] as const);

describe.each(named)('%s', (_, kind) => {
  test('is found by its names in each of its versions', () => {
    expect(kind.singular).toBe(kind.kind.toLowerCase());
    expect(kind.resource).toMatch(/^[a-z]+$/);
    expect(kindOfResource(kind.resource)).toBe(kind);
    for (const version of kind.versions) {
      const apiVersion = formatApiVersion(version);
      expect(findKind(apiVersion, kind.kind)).toEqual({ kind, version });
      expect(findResource(apiVersion, kind.resource)).toEqual({ kind, version });
    }
  });

  test('has the fields its definition speaks of', () => {
    const message = messageSchema(kind.message);
    expect(message.fields.get('metadata')?.type).toBe('meta.ObjectMeta');
    expect(message.fields.has('status')).toBe(kind.hasStatus);
    const paths = Object.keys(kind.selectableFields ?? {});
    expect(paths.filter((path) => !hasPath(message, path.split('.')))).toEqual([]);
    for (const { message: other = kind.message } of kind.versions)
      expect(messageSchema(other).fields.size).toBeGreaterThan(0);
  });

  test('shows its name, and every column says what it is', () => {
    const names = kind.columns.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(kind.columns.filter(({ format }) => format === 'name')).toHaveLength(1);
    for (const { description } of kind.columns) expect(description).not.toBe('');
  });

  test('its old versions say what to use instead, and leave the short names alone', () => {
    for (const version of kind.versions.slice(1)) {
      const isOld = version.version.includes('beta');
      expect(version.deprecation !== undefined).toBe(isOld);
      expect(version.group !== 'extensions' || version.legacy === true).toBe(true);
    }
  });

  test('defaults filled twice are as filled once', () => {
    const object = emptyObject(kind);
    kind.defaults?.(object);
    const once = structuredClone(object);
    kind.defaults?.(object);
    expect(object).toEqual(once);
  });
});

test('no two kinds share a name, a short name or a place in the store', () => {
  for (const of of [
    KINDS.map(({ kind }) => kind),
    KINDS.map(({ storagePrefix }) => storagePrefix),
    KINDS.flatMap(({ resource, singular, shortNames = [] }) => [
      ...new Set([resource, singular, ...shortNames]),
    ]),
  ])
    expect(new Set(of).size).toBe(of.length);
});

test('every definition under kinds/ is served', () => {
  const folder = join(ROOT, 'src/api/kinds');
  const defined = readdirSync(folder).filter((name) =>
    /^export const \w+Kind: KindDefinition/m.test(readFileSync(join(folder, name), 'utf8')),
  );
  expect(defined).toHaveLength(KINDS.length);
});

test('the documentation quotes what is there', () => {
  const blocks = [
    ...readFileSync(join(ROOT, 'docs/adding-a-kind.md'), 'utf8').matchAll(
      /^ {3}```(ts|text)\n([\s\S]*?)^ {3}```$/gm,
    ),
  ].map(([, language = '', body = '']) => ({ language, body: body.replaceAll(/^ {3}/gm, '') }));
  const source = { ts: 'src/api/kinds/lease.ts', text: 'src/api/schema/field-table.ts' };
  expect(blocks.map(({ language }) => language)).toEqual(['text', 'ts']);
  for (const { language, body } of blocks)
    expect(readFileSync(join(ROOT, language === 'ts' ? source.ts : source.text), 'utf8')).toContain(
      body,
    );
});

function hasPath(message: MessageSchema, [first = '', ...rest]: readonly string[]): boolean {
  const field = message.fields.get(first);
  if (field === undefined) return false;
  return rest.length === 0 || (field.message !== undefined && hasPath(field.message, rest));
}

/** What decoding makes of an object that says nothing: its spec is there, and empty. */
function emptyObject(kind: KindDefinition): JsonObject & Parameters<typeof fill>[0] {
  return fill({
    apiVersion: formatApiVersion(kind.versions[0]),
    kind: kind.kind,
    metadata: { name: 'x' },
    ...(messageSchema(kind.message).fields.has('spec') ? { spec: {} } : {}),
  });
}

function fill<T extends { apiVersion: string; kind: string; metadata: { name: string } }>(
  object: T,
): T & JsonObject {
  if (!isJsonObject(object)) throw new Error('an object is an object');
  return object;
}
