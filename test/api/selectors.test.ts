import { describe, expect, test } from 'vitest';
import { matchesFields, parseFieldSelector } from '../../src/api/field-selector.ts';
import { podKind } from '../../src/api/kinds/pod.ts';
import {
  formatRequirements,
  matchesLabels,
  matchesSelector,
  parseLabelSelector,
} from '../../src/api/label-selector.ts';
import type { KubeObject } from '../../src/api/types/meta.ts';

describe('label selectors', () => {
  const labels = { app: 'web', tier: 'front' };
  const cases: [text: string, matches: boolean][] = [
    ['', true],
    ['app=web', true],
    ['app==web', true],
    ['app = web', true],
    ['app!=web', false],
    ['app!=db', true],
    ['other!=x', true],
    ['app in (web,db)', true],
    ['app in (db)', false],
    ['app notin (db)', true],
    ['app notin (web)', false],
    ['app', true],
    ['other', false],
    ['!other', true],
    ['!app', false],
    ['app=web,tier in (front, back),!other', true],
    ['app=web,tier=back', false],
    ['app=', false],
  ];
  for (const [text, matches] of cases)
    test(`${text === '' ? 'nothing' : text} ${matches ? 'matches' : 'does not match'}`, () => {
      expect(matchesLabels(parseLabelSelector(text), labels)).toBe(matches);
    });

  for (const text of ['a b', '=x', 'a in b', 'a=b=c', ',', 'a=b c', 'a in (b c)'])
    test(`${text} is refused`, () => {
      expect(() => parseLabelSelector(text)).toThrow('unable to parse requirement');
    });

  test('print as kubectl shows them, sorted', () => {
    expect(formatRequirements(parseLabelSelector('z in (b,a),!x,y,a=b,c!=d'))).toBe(
      'a=b,c!=d,!x,y,z in (a,b)',
    );
  });

  test('an absent selector matches nothing, an empty one everything', () => {
    expect(matchesSelector(undefined, labels)).toBe(false);
    expect(matchesSelector({}, labels)).toBe(true);
  });
});

describe('field selectors', () => {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'default' },
    spec: { nodeName: 'node-1' },
    status: { phase: 'Running' },
  } as KubeObject;
  const cases: [text: string, matches: boolean][] = [
    ['metadata.name=p', true],
    ['metadata.namespace=other', false],
    ['spec.nodeName=node-1,status.phase!=Failed', true],
    ['spec.nodeName!=node-1', false],
    ['spec.hostNetwork=false', true],
    ['status.podIP=', true],
  ];
  for (const [text, matches] of cases)
    test(`${text} ${matches ? 'matches' : 'does not match'}`, () => {
      expect(matchesFields(parseFieldSelector(text, podKind), pod, podKind)).toBe(matches);
    });

  test('a field nobody selects by is refused', () => {
    expect(() => parseFieldSelector('spec.foo=1', podKind)).toThrow(
      'field label not supported: spec.foo',
    );
    expect(() => parseFieldSelector('nonsense', podKind)).toThrow("invalid selector: 'nonsense'");
  });
});
