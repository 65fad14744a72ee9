import { describe, expect, it } from 'vitest';
import type { ProxyRequest, ProxyResponse } from '../../src/controlplane/apiserver/pod-access.ts';
import { askNodes } from '../../src/cluster/node-requests.ts';
import type { NodeAgent } from '../../src/node/node-agent.ts';

const agent = {} as NodeAgent;
const ask = askNodes((name) => (name === 'node-1' ? agent : undefined));

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
