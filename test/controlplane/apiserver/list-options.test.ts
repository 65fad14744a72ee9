import { expect, test } from 'vitest';
import {
  checkListOptions,
  checkWatchOptions,
} from '../../../src/controlplane/apiserver/list-options.ts';

/** The message of the refusal; undefined where there is none. */
function refusal(check: (query: URLSearchParams) => void, query: string): string | undefined {
  try {
    check(new URLSearchParams(query));
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const INVALID = 'ListOptions.meta.k8s.io "" is invalid: ';
const FORBIDDEN = `${INVALID}resourceVersionMatch: Forbidden: resourceVersionMatch`;

test.each<[string, string | undefined]>([
  ['', undefined],
  ['resourceVersion=5', undefined],
  ['resourceVersion=5&resourceVersionMatch=Exact', undefined],
  ['resourceVersion=0&resourceVersionMatch=NotOlderThan', undefined],
  ['continue=x', undefined],
  ['continue=x&resourceVersion=0', undefined],
  [
    'continue=x&resourceVersion=5',
    'specifying resource version is not allowed when using continue',
  ],
  ['resourceVersionMatch=Exact', `${FORBIDDEN} is forbidden unless resourceVersion is provided`],
  [
    'resourceVersion=0&resourceVersionMatch=Exact',
    `${FORBIDDEN} "exact" is forbidden for resourceVersion "0"`,
  ],
  [
    'resourceVersion=5&resourceVersionMatch=NotOlderThan&continue=x',
    `${FORBIDDEN} is forbidden when continue is provided`,
  ],
  [
    'resourceVersion=5&resourceVersionMatch=Newest',
    `${INVALID}resourceVersionMatch: Unsupported value: "Newest": supported values: "", "Exact", "NotOlderThan"`,
  ],
  [
    'sendInitialEvents=true',
    `${INVALID}sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list`,
  ],
])('a list with %s', (query, message) => {
  expect(refusal(checkListOptions, query)).toBe(message);
});

test.each<[string, string | undefined]>([
  ['resourceVersion=5', undefined],
  ['sendInitialEvents=true&resourceVersionMatch=NotOlderThan', undefined],
  ['sendInitialEvents=false&resourceVersionMatch=NotOlderThan', undefined],
  [
    'sendInitialEvents=true',
    `${INVALID}resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan`,
  ],
  [
    'resourceVersionMatch=NotOlderThan',
    `${FORBIDDEN} is forbidden for watch unless sendInitialEvents is provided`,
  ],
])('a watch with %s', (query, message) => {
  expect(refusal(checkWatchOptions, query)).toBe(message);
});
