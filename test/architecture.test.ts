// Guards the layer graph of docs/architecture.md. Reads import specifiers, so it sees `import type`
// too, which compiled-output tools miss.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { describe, expect, test } from 'vitest';

const SRC = resolve(import.meta.dirname, '../src');

/** What each folder may import from its siblings, and why the list is that short. */
const MAY_IMPORT: Record<string, { from: readonly string[]; why: string }> = {
  base: {
    from: [],
    why: 'the floor: clock, random, lifetime, errors, log, metrics, addresses, system calls',
  },
  wire: { from: ['base'], why: 'pure codecs; fuzzed without a socket' },
  api: { from: ['base'], why: 'resource types and validation; no behaviour' },
  ipam: { from: ['base'], why: 'pure allocators over a narrow store' },
  netstack: { from: ['base', 'wire'], why: 'sans-I/O TCP/IP; driven by poll(now)' },
  services: { from: ['base', 'api'], why: 'pure routing state; where the two planes meet' },
  overlay: {
    from: ['base', 'wire', 'netstack', 'ipam'],
    why: 'moves frames; knows leases, never Services',
  },
  proxy: { from: ['base', 'api', 'services'], why: 'forwards sockets; runs without an API server' },
  dns: {
    from: ['base', 'wire', 'api', 'services'],
    why: 'answers names; runs without an API server',
  },
  controlplane: { from: ['base', 'api', 'ipam', 'services'], why: 'never touches a packet' },
  node: {
    from: [
      'base',
      'wire',
      'api',
      'ipam',
      'netstack',
      'services',
      'overlay',
      'proxy',
      'dns',
      'controlplane/client',
    ],
    why: 'composition root of one node; reaches the control plane through its client only',
  },
  cluster: {
    from: ['base', 'api', 'ipam', 'controlplane', 'node'],
    why: 'composition root of the emulator',
  },
  bench: {
    from: ['base', 'api', 'services', 'proxy'],
    why: 'compares balancers: the proxy itself in virtual or real time, without an emulator',
  },
  cli: { from: ['base', 'api', 'cluster', 'bench'], why: 'argv, env, terminal, exit codes' },
};

// Matches `import … from 'x'`, `export … from 'x'`, `import 'x'` and `import('x')`, on one line or many.
const IMPORT = /\b(?:import|export)\b(?:[\w\s{},*$]*?\bfrom)?\s*\(?\s*['"]([^'"]+)['"]/g;

function sourceFiles(): string[] {
  return readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(SRC, name));
}

function siblingImports(file: string): string[] {
  return [...readFileSync(file, 'utf8').matchAll(IMPORT)]
    .map((match) => match[1] ?? '')
    .filter((specifier) => specifier.startsWith('.'))
    .map((specifier) =>
      relative(SRC, resolve(dirname(file), specifier))
        .split(sep)
        .join('/'),
    );
}

const files = sourceFiles();

describe('layers', () => {
  // A checker that looks at nothing passes everything: prove that it saw the tree.
  test('every folder has a rule and imports are seen', () => {
    const folders = new Set(files.map((file) => relative(SRC, file).split(sep)[0] ?? ''));
    expect([...folders].filter((folder) => !(folder in MAY_IMPORT))).toEqual([]);
    expect(files.flatMap(siblingImports).length).toBeGreaterThan(0);
  });

  for (const [folder, rule] of Object.entries(MAY_IMPORT)) {
    test(`src/${folder} imports only downwards: ${rule.why}`, () => {
      const bad = files
        .filter((file) => relative(SRC, file).split(sep)[0] === folder)
        .flatMap((file) =>
          siblingImports(file)
            .filter(
              (target) =>
                !target.startsWith(`${folder}/`) &&
                !rule.from.some((allowed) => target.startsWith(`${allowed}/`)),
            )
            .map((target) => `${relative(SRC, file)} -> ${target}`),
        );
      expect(bad).toEqual([]);
    });
  }
});
