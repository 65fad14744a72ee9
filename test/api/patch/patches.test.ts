import { assert, constantFrom, property, record, string, uniqueArray } from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../../src/api/json.ts';
import { jsonPatch } from '../../../src/api/patch/json-patch.ts';
import { mergePatch } from '../../../src/api/patch/merge-patch.ts';
import { strategicMergePatch } from '../../../src/api/patch/strategic-merge-patch.ts';
import { messageSchema } from '../../../src/api/schema/schema.ts';

describe('JSON merge patch', () => {
  // RFC 7386, appendix A.
  const cases: [unknown, unknown, unknown][] = [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ a: 'b' }, ['c'], ['c']],
    [{ a: 'foo' }, null, null],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ];
  for (const [target, patch, result] of cases)
    test(`${JSON.stringify(target)} with ${JSON.stringify(patch)}`, () => {
      expect(mergePatch(target, patch)).toEqual(result);
    });
});

describe('JSON patch', () => {
  // RFC 6902, appendix A.
  const cases: [title: string, document: unknown, patch: object[], result: unknown][] = [
    [
      'adds a member',
      { foo: 'bar' },
      [{ op: 'add', path: '/baz', value: 'qux' }],
      { baz: 'qux', foo: 'bar' },
    ],
    [
      'adds an element',
      { foo: ['bar', 'baz'] },
      [{ op: 'add', path: '/foo/1', value: 'qux' }],
      { foo: ['bar', 'qux', 'baz'] },
    ],
    ['appends', { foo: ['bar'] }, [{ op: 'add', path: '/foo/-', value: 1 }], { foo: ['bar', 1] }],
    [
      'removes a member',
      { baz: 'qux', foo: 'bar' },
      [{ op: 'remove', path: '/baz' }],
      { foo: 'bar' },
    ],
    ['removes an element', { foo: [1, 2, 3] }, [{ op: 'remove', path: '/foo/1' }], { foo: [1, 3] }],
    ['replaces', { baz: 'qux' }, [{ op: 'replace', path: '/baz', value: 'boo' }], { baz: 'boo' }],
    [
      'moves a value',
      { a: { b: 1 }, c: {} },
      [{ op: 'move', from: '/a/b', path: '/c/d' }],
      { a: {}, c: { d: 1 } },
    ],
    [
      'moves an element',
      { foo: ['a', 'b', 'c'] },
      [{ op: 'move', from: '/foo/0', path: '/foo/2' }],
      { foo: ['b', 'c', 'a'] },
    ],
    ['copies', { a: [1] }, [{ op: 'copy', from: '/a', path: '/b' }], { a: [1], b: [1] }],
    ['tests', { a: [1] }, [{ op: 'test', path: '/a', value: [1] }], { a: [1] }],
    [
      'unescapes',
      { '/': 9, '~1': 10 },
      [{ op: 'test', path: '/~01', value: 10 }],
      { '/': 9, '~1': 10 },
    ],
    ['replaces the whole', { a: 1 }, [{ op: 'replace', path: '', value: 2 }], 2],
  ];
  for (const [title, document, patch, result] of cases)
    test(`${title} as RFC 6902 says`, () => {
      expect(jsonPatch(document, patch)).toEqual(result);
    });

  test('all operations or none: the document is not touched', () => {
    const document = { a: [1] };
    expect(() =>
      jsonPatch(document, [
        { op: 'remove', path: '/a' },
        { op: 'remove', path: '/nope' },
      ]),
    ).toThrow('missing');
    expect(document).toEqual({ a: [1] });
  });

  for (const path of ['/foo/1e0', '/foo/01', '/foo/-1', '/foo/7', '/foo/bar'])
    test(`${path} is not an element`, () => {
      expect(() => jsonPatch({ foo: [1] }, [{ op: 'replace', path, value: 0 }])).toThrow('missing');
    });
});

describe('strategic merge patch', () => {
  const deployment = messageSchema('apps.v1.Deployment');
  const service = messageSchema('core.v1.Service');
  const pod = (containers: object[], rest: object = {}): JsonObject => ({
    spec: { template: { spec: { containers, ...rest } } },
  });
  const merge = (target: JsonObject, patch: JsonObject) =>
    strategicMergePatch(deployment, target, patch);

  test('containers merge by name, environment variables by theirs', () => {
    const before = pod([
      { name: 'a', image: 'x:1', env: [{ name: 'K', value: '1' }] },
      { name: 'b', image: 'y:1' },
    ]);
    expect(
      merge(before, pod([{ name: 'a', image: 'x:2', env: [{ name: 'L', value: '2' }] }])),
    ).toEqual(
      pod([
        {
          name: 'a',
          image: 'x:2',
          env: [
            { name: 'K', value: '1' },
            { name: 'L', value: '2' },
          ],
        },
        { name: 'b', image: 'y:1' },
      ]),
    );
  });

  test('$patch: delete takes one item out, $patch: replace takes the place of all', () => {
    const before = pod([{ name: 'a' }, { name: 'b' }]);
    expect(merge(before, pod([{ name: 'a', $patch: 'delete' }]))).toEqual(pod([{ name: 'b' }]));
    expect(merge(before, pod([{ $patch: 'replace' }, { name: 'c' }]))).toEqual(
      pod([{ name: 'c' }]),
    );
  });

  test('$setElementOrder puts items in order and leaves unknown ones in place', () => {
    const before = pod([{ name: 'a' }, { name: 'sidecar' }, { name: 'b' }]);
    const patch = {
      spec: {
        template: { spec: { '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }] } },
      },
    };
    expect(merge(before, patch)).toEqual(pod([{ name: 'b' }, { name: 'sidecar' }, { name: 'a' }]));
  });

  test('atomic lists are replaced: tolerations, arguments', () => {
    const before = pod([{ name: 'a', args: ['1'] }], { tolerations: [{ key: 'a' }] });
    expect(
      merge(before, pod([{ name: 'a', args: ['2'] }], { tolerations: [{ key: 'b' }] })),
    ).toEqual(pod([{ name: 'a', args: ['2'] }], { tolerations: [{ key: 'b' }] }));
  });

  test('$retainKeys clears the other half of a union', () => {
    const before = {
      spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } },
    };
    const patch = { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } };
    expect(merge(before, patch)).toEqual({ spec: { strategy: { type: 'Recreate' } } });
  });

  test('service ports merge by port, finalizers as a set, nulls delete', () => {
    const before = {
      metadata: { finalizers: ['a'], labels: { x: '1', y: '2' } },
      spec: { ports: [{ port: 80, name: 'http' }] },
    };
    expect(
      strategicMergePatch(service, before, {
        metadata: { finalizers: ['a', 'b'], labels: { x: null } },
        spec: { ports: [{ port: 80, targetPort: 8080 }, { port: 443 }] },
      }),
    ).toEqual({
      metadata: { finalizers: ['a', 'b'], labels: { y: '2' } },
      spec: { ports: [{ port: 80, name: 'http', targetPort: 8080 }, { port: 443 }] },
    });
  });

  test('$deleteFromPrimitiveList takes members out of a set', () => {
    expect(
      merge(
        { metadata: { finalizers: ['a', 'b'] } },
        { metadata: { '$deleteFromPrimitiveList/finalizers': ['a'] } },
      ),
    ).toEqual({ metadata: { finalizers: ['b'] } });
  });

  test('an item without its merge key is refused', () => {
    expect(() => merge(pod([{ name: 'a' }]), pod([{ image: 'x' }]))).toThrow('merge key: name');
  });

  test('applying the same patch twice is applying it once', () => {
    const item = record({ name: constantFrom('a', 'b', 'c'), image: string() });
    const containers = uniqueArray(item, { selector: ({ name }) => name, minLength: 1 });
    assert(
      property(containers, containers, (before, patch) => {
        const once = merge(pod(before), pod(patch));
        expect(merge(once, pod(patch))).toEqual(once);
      }),
    );
  });
});
