import { expect, test } from 'vitest';
import { expectedLike, parseScript, prints, type ScriptStep } from './console-script.ts';

const SCRIPT = `
# Said for the reader.
$ kubectl create deployment web
> --image=nginx
deployment.apps/web created

$1.35 kubectl events
~ kubectl get pods
NAME      READY   AGE
web-<id>  1/1     <age>
1.20| old
1.35| new
[1]
`;

function step(expected: string[]): ScriptStep {
  return { command: '', eventually: false, expected, exitCode: 0, line: 1 };
}

test('a script is its commands, with what each prints in this version', () => {
  expect(parseScript(SCRIPT, '1.20')).toEqual([
    {
      command: 'kubectl create deployment web\n--image=nginx',
      eventually: false,
      expected: ['deployment.apps/web created'],
      exitCode: 0,
      line: 3,
    },
    {
      command: 'kubectl get pods',
      eventually: true,
      expected: ['NAME      READY   AGE', 'web-<id>  1/1     <age>', 'old'],
      exitCode: 1,
      line: 8,
    },
  ]);
  expect(parseScript(SCRIPT, '1.35').map(({ command }) => command)).toContain('kubectl events');
});

test.each<[string, string[], string, boolean]>([
  ['the same text', ['a b'], 'a b\n', true],
  [
    'other padding',
    ['NAME   AGE', 'x <age>'],
    'NAME                AGE\nx                   2m3s\n',
    true,
  ],
  ['other indentation', ['  a'], 'a\n', false],
  ['a placeholder that does not fit', ['<ip>'], '10.0.0', false],
  ['angle brackets that are no placeholder', ['<none>'], '<none>', true],
  ['a line too many', ['a'], 'a\nb', false],
  ['a line too few', ['a', 'b'], 'a', false],
  ['lines left out', ['a', '...', 'z'], 'a\nb\nc\nz', true],
  ['no lines left out', ['a', '...', 'z'], 'a\nz', true],
  ['characters that mean something in a pattern', ['a.b (c) [d]'], 'axb (c) [d]', false],
])('%s', (_, expected, printed, fits) => {
  expect(prints(step(expected), printed)).toBe(fits);
});

test('a diff shows only the lines that differ', () => {
  expect(expectedLike(step(['pod <id>', 'at <ip>']), 'pod  abcde\nat home\n')).toEqual([
    'pod  abcde',
    'at <ip>',
  ]);
});
