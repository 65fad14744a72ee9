import { expect, test } from 'vitest';
import { type MachineFact, machineReport } from '../../src/cluster/machine-report.ts';

function report(
  files: Readonly<Record<string, string>>,
  refusal?: string,
): Map<string, MachineFact> {
  const facts = machineReport({
    read: (path) => files[path],
    hasCommand: (name) => name === 'curl',
    kernel: 'linux 6.18.0',
    arch: 'x64',
    epollRefusal: () => refusal,
    handleRefusal: () => refusal,
    uringRefusal: () => refusal,
    datagramRefusal: () => refusal,
  });
  return new Map(facts.map((fact) => [fact.name, fact]));
}

test('names the engines that work, or why they do not', () => {
  const works = report({});
  expect(works.get('auto engine')?.detail).toBe('is uring here');
  for (const engine of ['uring', 'epoll', 'handle'])
    expect(works.get(`${engine} engine`)?.state).toBe('ok');
  const refused = report({}, 'it is not permitted');
  expect(refused.get('auto engine')?.detail).toBe('is net here');
  for (const [engine, instead] of [
    ['uring', 'epoll'],
    ['epoll', 'handle'],
    ['handle', 'net'],
  ])
    expect(refused.get(`${engine} engine`)).toEqual({
      name: `${engine} engine`,
      state: 'missing',
      detail: `it is not permitted; ${instead} does the same`,
    });
});

test('says what carries the overlay', () => {
  expect(report({}).get('overlay UDP')?.state).toBe('ok');
  expect(report({}, 'it is not permitted').get('overlay UDP')).toEqual({
    name: 'overlay UDP',
    state: 'missing',
    detail: 'it is not permitted; node:dgram does the same',
  });
});

test.each([
  ['low ports', 'net/ipv4/ip_unprivileged_port_start', '1024\n', 'missing', 'sysctl -w'],
  ['low ports', 'net/ipv4/ip_unprivileged_port_start', '0\n', 'ok', 'is 0'],
  ['user namespaces', 'user/max_user_namespaces', '0\n', 'missing', 'is 0'],
  ['user namespaces', 'user/max_user_namespaces', '1000\n', 'ok', 'native'],
  ['user namespaces', 'kernel/apparmor_restrict_unprivileged_userns', '1', 'missing', 'AppArmor'],
])('%s: %s %j is %s', (name, sysctl, text, state, detail) => {
  const fact = report({ [`/proc/sys/${sysctl}`]: text }).get(name);
  expect(fact?.state).toBe(state);
  expect(fact?.detail).toContain(detail);
});

test('says how many connections the file limit allows', () => {
  const limits = (soft: string): Record<string, string> => ({
    '/proc/self/limits': `Limit  Soft Limit  Hard Limit  Units\nMax open files   ${soft}   1048576   files\n`,
  });
  expect(report(limits('20000')).get('open files')).toMatchObject({ state: 'ok' });
  expect(report(limits('20000')).get('open files')?.detail).toContain('about 10000 connections');
  expect(report(limits('1024')).get('open files')).toMatchObject({ state: 'missing' });
  expect(report({}).get('open files')).toMatchObject({ state: 'info' });
});

test('tells which tools are there', () => {
  expect(report({}).get('curl')?.state).toBe('ok');
  expect(report({}).get('kubectl')?.state).toBe('missing');
});
