import { readdirSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PodwireError } from '../../base/errors.ts';
import { parseScenario } from './parse-scenario.ts';
import type { Scenario } from './scenario.ts';

/** bench/scenarios of the package, seen from src and from dist alike. */
const FOLDER = fileURLToPath(new URL('../../../bench/scenarios/', import.meta.url));
const SUFFIX = '.yaml';

/** Names of the scenarios that come with podwire, sorted as people count. */
export function shippedScenarioNames(): string[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith(SUFFIX))
    .map((file) => file.slice(0, -SUFFIX.length))
    .toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true }));
}

/**
 * A shipped scenario by name, or a file by path. Throws PodwireError `ERR_SCENARIO` when there is none, or
 * when it is not one.
 */
export function loadScenario(nameOrPath: string, known: ReadonlySet<string>): Scenario {
  const isPath = nameOrPath.includes('/') || /\.ya?ml$/.test(nameOrPath);
  if (!isPath && !shippedScenarioNames().includes(nameOrPath))
    throw new PodwireError(
      'ERR_SCENARIO',
      `no scenario ${nameOrPath}; podwire bench list shows them, or give the path of a YAML file`,
    );
  const path = isPath ? nameOrPath : `${FOLDER}${nameOrPath}${SUFFIX}`;
  return parseScenario(readText(path), known, {
    where: nameOrPath,
    readBeside: (other) => readText(resolve(dirname(path), other)),
  });
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new PodwireError('ERR_SCENARIO', `cannot read ${path}`, { cause });
  }
}
