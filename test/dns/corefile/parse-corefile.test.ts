import { describe, expect, test } from 'vitest';
import {
  type CorefileHost,
  type Directive,
  parseCorefile,
  sealedHost,
  type ServerBlock,
} from '../../../src/dns/corefile/parse-corefile.ts';
import { parseZoneKey } from '../../../src/dns/corefile/zone-key.ts';

type Shape = readonly [string, ...unknown[]];

/** Directives as nested arrays of words. */
function shapeOf({ name, args, block }: Directive): Shape {
  const words = args.map(({ text }) => text);
  return [name.text, ...words, ...(block === undefined ? [] : [block.map(shapeOf)])];
}

function shapes(blocks: readonly ServerBlock[]): unknown[] {
  return blocks.map(({ keys, directives }) => [
    keys.map(({ text }) => text),
    directives.map(shapeOf),
  ]);
}

function parse(text: string, host: CorefileHost = sealedHost): unknown[] {
  return shapes(parseCorefile({ file: 'Corefile', text }, host));
}

describe('a Corefile', () => {
  test('has blocks with several keys and nested options', () => {
    const text = `
example.org:1053, example.net {
  # a comment
  errors
  cache 30 { # after a brace too
    success 100
  }
}
.:53 {
  forward . 192.0.2.1 192.0.2.2
}`;
    expect(parse(text)).toEqual([
      [
        ['example.org:1053', 'example.net'],
        [['errors'], ['cache', '30', [['success', '100']]]],
      ],
      [['.:53'], [['forward', '.', '192.0.2.1', '192.0.2.2']]],
    ]);
  });

  test('needs no braces for a single block', () => {
    expect(parse('.:53\nerrors\nforward . 192.0.2.1\n')).toEqual([
      [['.:53'], [['errors'], ['forward', '.', '192.0.2.1']]],
    ]);
  });

  test('keeps quoted words together, with quotes and line breaks inside', () => {
    expect(parse('. {\n log "a \\"b\\" {c}"\n template IN A {\n  answer "x\ny"\n }\n}')).toEqual([
      [
        ['.'],
        [
          ['log', 'a "b" {c}'],
          ['template', 'IN', 'A', [['answer', 'x\ny']]],
        ],
      ],
    ]);
  });

  test('takes values from the environment; unset ones are empty', () => {
    const host = { ...sealedHost, environment: { ZONE: 'example.org', PORT: '1053' } };
    expect(parse('{$ZONE}:{%PORT%} {\n whoami {$NOTHING}x\n}', host)).toEqual([
      [['example.org:1053'], [['whoami', 'x']]],
    ]);
  });

  test('imports snippets and files, also inside blocks', () => {
    const host: CorefileHost = {
      environment: {},
      readImports: (pattern, from) => {
        expect(from).toBe('Corefile');
        return pattern === 'more/*.conf'
          ? [{ file: 'more/a.conf', text: 'chaos\nimport common' }]
          : [];
      },
    };
    const text = '(common) {\n errors\n log\n}\n. {\n import common\n import more/*.conf\n}';
    expect(parse(text, host)).toEqual([
      [['.'], [['errors'], ['log'], ['chaos'], ['errors'], ['log']]],
    ]);
  });

  test.each([
    ['.:53 {\n errors', "Corefile:1 - Error during parsing: expected '}' for this '{'"],
    ['.:53 {\n log "never\n}', 'Corefile:2 - Error during parsing: quotation mark is never closed'],
    [
      '{\n errors\n}',
      "Corefile:1 - Error during parsing: expected a zone such as '.:53' before '{'",
    ],
    ['. {\n}\n}', "Corefile:3 - Error during parsing: unexpected '}'"],
    ['. {\n import nothing\n}', "no snippet and no file is called 'nothing'"],
    ['. {\n import\n}', 'import needs the name of a snippet or a file pattern'],
    ['(a) {\n}\n(a) {\n}\n', 'redeclaration of the snippet (a)'],
    ['. {\n}\nexample.org\n', "expected '{' after the zone 'example.org'"],
    ['(a) {\n import a\n}\n. {\n import a\n}', 'imports never end'],
  ])('%j is refused', (text, problem) => {
    expect(() => parse(text)).toThrow(problem);
  });
});

describe('a zone key', () => {
  const position = { file: 'Corefile', line: 1 };
  const zonesOf = (text: string): string[] =>
    parseZoneKey(text, position).map(({ zone, port }) => `${zone} ${port}`);

  test.each([
    ['.', ['. 53']],
    [':1053', ['. 1053']],
    ['dns://Example.ORG:1053', ['example.org. 1053']],
    ['10.0.0.0/8', ['10.in-addr.arpa. 53']],
    ['10.1.2.0/24:54', ['2.1.10.in-addr.arpa. 54']],
    ['10.0.0.0/23', ['0.0.10.in-addr.arpa. 53', '1.0.10.in-addr.arpa. 53']],
    ['192.0.2.1/32', ['1.2.0.192.in-addr.arpa. 53']],
    ['2001:db8::/32', ['8.b.d.0.1.0.0.2.ip6.arpa. 53']],
    ['2001:db8::/31', ['8.b.d.0.1.0.0.2.ip6.arpa. 53', '9.b.d.0.1.0.0.2.ip6.arpa. 53']],
  ])('%s is %j', (text, zones) => {
    expect(zonesOf(text)).toEqual(zones);
  });

  test.each([
    ['tls://.', "transport 'tls' is not served here"],
    ['gopher://.', "unknown transport 'gopher'"],
    ['.:70000', 'port 70000 is out of range'],
    ['10.0.0.0/40', "zone '10.0.0.0/40' is not a CIDR"],
    [`${'a'.repeat(64)}.org`, 'has a label longer than 63 bytes'],
    ['a..b', 'has an empty label'],
  ])('%s is refused', (text, problem) => {
    expect(() => zonesOf(text)).toThrow(problem);
  });
});
