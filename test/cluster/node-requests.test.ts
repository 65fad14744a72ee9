import { describe, expect, it } from 'vitest';
import type { ProxyRequest, ProxyResponse } from '../../src/controlplane/apiserver/pod-access.ts';
import { PodwireError } from '../../src/base/errors.ts';
import { askNodes } from '../../src/cluster/node-requests.ts';
import type { NodeAgent } from '../../src/node/node-agent.ts';

const agent = {} as NodeAgent;
const switched: string[] = [];
const ask = askNodes({
  agent: (name) => (name === 'node-1' ? agent : undefined),
  startNode: async (name, { address = 'its own' }) => {
    if (name === 'node-1') throw new PodwireError('node-running', 'node-1 is running');
    switched.push(`${name} on at ${address}`);
  },
  stopNode: async (name) => void switched.push(`${name} off`),
});

function request(body: string, over: Partial<ProxyRequest> = {}): ProxyRequest {
  const { signal } = new AbortController();
  return { method: 'POST', path: '/exec', headers: {}, body: Buffer.from(body), signal, ...over };
}

async function said({ code, chunks }: ProxyResponse): Promise<string> {
  const parts: Buffer[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return `${code} ${Buffer.concat(parts).toString()}`;
}

describe('what a node answers to the API server', () => {
  it('runs a command line and gives what it prints', async () => {
    expect(await said(await ask('node-1', request('{"command":["help"]}')))).toMatch(/^200 help /);
  });

  it.each([
    ['no JSON', '{', /^400 command: must be a list/],
    ['no list', '{"command":"help"}', /^400 command: must be a list/],
    ['an unknown program', '{"command":["vi"]}', /^400 vi: command not found/],
  ])('refuses %s', async (_, body, answer) => {
    expect(await said(await ask('node-1', request(body)))).toMatch(answer);
  });

  it('has nothing at other paths', async () => {
    expect(await said(await ask('node-1', request('', { path: '/runningpods' })))).toMatch(/^404 /);
  });

  it('cannot be reached while its node is down', async () => {
    await expect(ask('node-9', request('{}'))).rejects.toThrow('node node-9 is not running');
  });
});

describe('the power switch of a machine', () => {
  const power = (node: string, body: string) => ask(node, request(body, { path: '/power' }));

  it('works while the node is down', async () => {
    expect(await said(await power('node-9', '{"on":true}'))).toBe('200 node-9 is Ready\n');
    await power('node-9', '{"on":true,"address":"127.18.0.9"}');
    expect(await said(await power('node-1', '{"on":false}'))).toBe('200 node-1 is stopped\n');
    expect(switched).toEqual(['node-9 on at its own', 'node-9 on at 127.18.0.9', 'node-1 off']);
  });

  it.each([
    ['nothing to do', '{}', /^400 power: \{"on": true\}/],
    ['an address that is no text', '{"on":true,"address":9}', /^400 power: /],
    ['what the machine refuses', '{"on":true}', /^400 node-1 is running/],
  ])('refuses %s', async (_, body, answer) => {
    expect(await said(await power('node-1', body))).toMatch(answer);
  });
});
