import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { pluginModules } from '../../../src/dns/plugin/registry.ts';
import { startTestServer } from '../dns-fixture.ts';
import { clusterSource } from '../cluster-fixture.ts';

const FOLDER = join(import.meta.dirname, '../../../src/dns/plugins');
const names = readdirSync(FOLDER).toSorted();

const ZONE =
  '@ 60 IN SOA ns hostmaster 1 7200 1800 86400 60\n@ 60 IN NS ns\nns 60 IN A 192.0.2.53\n';

/** Corefiles in fences, with HTTP endpoints moved to free ports. */
function examplesOf(name: string): string[] {
  const text = readFileSync(join(FOLDER, name, 'README.md'), 'utf8');
  return [...text.matchAll(/```corefile\n([\s\S]*?)```/g)].map(([, example = '']) =>
    example.replaceAll(/^(\s*)(health|ready|prometheus)( :\d+)?(?=[ \n])/gm, '$1$2 127.0.0.1:0'),
  );
}

test('every plugin has a folder with a README, and every folder is a plugin', () => {
  expect(pluginModules.map(({ name }) => name).toSorted()).toEqual(names);
});

describe.each(names)('%s', (name) => {
  test('has a man page', () => {
    const text = readFileSync(join(FOLDER, name, 'README.md'), 'utf8');
    for (const heading of ['# ' + name, '## Name', '## Description', '## Syntax', '## Examples'])
      expect(text).toContain(`${heading}\n`);
  });

  test('has examples that work', async () => {
    const examples = examplesOf(name);
    expect(examples.length).toBeGreaterThan(0);
    for (const example of examples) {
      expect(example).toContain(name);
      const server = await startTestServer(example, {
        source: clusterSource(),
        connectEtcd: () => ({
          list: () => Promise.resolve([]),
          get: () => Promise.resolve(undefined),
          close: () => Promise.resolve(),
          [Symbol.asyncDispose]: () => Promise.resolve(),
        }),
        files: { read: (path) => Promise.resolve(path.startsWith('db.') ? ZONE : '') },
      });
      await server[Symbol.asyncDispose]();
    }
  });
});
