// The API over real sockets, on free ports: TLS and tokens, what is refused before it is read, and how long
// the server waits for whom.
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { type IncomingMessage, request as httpRequest } from 'node:http';
import { type RequestOptions, request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { parse } from 'yaml';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ManualClock } from '../../../src/base/clock.ts';
import { parseCidr } from '../../../src/base/ip.ts';
import { writeKubeconfig } from '../../../src/controlplane/apiserver/kubeconfig.ts';
import type { RunningApiServer } from '../../../src/controlplane/apiserver/start-api-server.ts';
import type { ControlPlane } from '../../../src/controlplane/control-plane.ts';
import { startTestPlane } from '../support.ts';

const ANY_PORT = { host: '127.0.0.1', port: 0 };
const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const PATIENCE = { headersMs: 200, requestMs: 400, stalledReaderMs: 30_000 };

let plane: ControlPlane;
let clock: ManualClock;
let server: RunningApiServer;
let token: string;
let ca: Buffer;

beforeEach(async () => {
  const serviceCidr = parseCidr('127.96.0.0/16');
  if (serviceCidr === undefined) throw new Error('bad CIDR');
  ({ plane, clock } = await startTestPlane({ config: { serviceCidr, watchBacklog: 8 } }));
  server = await plane.serveApi({ listen: ANY_PORT, insecure: ANY_PORT, patience: PATIENCE });
  const config = parse(server.kubeconfig) as {
    clusters: { cluster: { 'certificate-authority-data': string } }[];
    users: { user: { token: string } }[];
  };
  token = config.users[0]?.user.token ?? '';
  ca = Buffer.from(config.clusters[0]?.cluster['certificate-authority-data'] ?? '', 'base64');
});

afterEach(() => plane[Symbol.asyncDispose]());

interface Answer {
  readonly code: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
}

interface Call {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
  readonly insecure?: boolean;
}

async function call(path: string, options: Call = {}): Promise<Answer> {
  const response = await open(path, options);
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += String(chunk);
  return { code: response.statusCode ?? 0, headers: response.headers, text };
}

/** With the token, unless the headers say otherwise. */
function open(path: string, { method = 'GET', headers, body, insecure }: Call = {}) {
  const options: RequestOptions = {
    method,
    agent: false,
    ca,
    servername: 'localhost',
    headers: { authorization: `Bearer ${token}`, ...headers },
  };
  return new Promise<IncomingMessage>((resolve, reject) => {
    const request =
      insecure === true
        ? httpRequest(new URL(path, server.insecureUrl), options)
        : httpsRequest(new URL(path, server.url), options);
    request.once('response', resolve);
    request.once('error', reject);
    request.end(body);
  });
}

function configMap(name: string, value = 'x'): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name },
    data: { value },
  });
}

describe('who may ask', () => {
  test.each<[string, Record<string, string>]>([
    ['no token', { authorization: '' }],
    ['a wrong token', { authorization: 'Bearer wrong' }],
    ['another scheme', { authorization: 'Basic YTpi' }],
  ])('%s is 401', async (_, headers) => {
    const answer = await call('/api/v1/pods', { headers });
    expect(answer.code).toBe(401);
    expect(answer.headers['www-authenticate']).toContain('Bearer');
    expect(JSON.parse(answer.text)).toMatchObject({ kind: 'Status', reason: 'Unauthorized' });
  });

  test('a Host header of another name is refused, over TLS and without', async () => {
    const headers = { host: 'attacker.example.org' };
    expect((await call('/version', { headers })).code).toBe(403);
    expect((await call('/version', { headers, insecure: true })).code).toBe(403);
    expect((await call('/version', { headers: { host: 'localhost:1' } })).code).toBe(200);
    // default/kubernetes, as pods know it.
    expect((await call('/version', { headers: { host: '127.96.0.1' } })).code).toBe(200);
  });

  test('the insecure port asks for no token, and listens on loopback alone', async () => {
    const headers = { authorization: '' };
    expect((await call('/api/v1/pods', { headers, insecure: true })).code).toBe(200);
    await expect(
      plane.serveApi({ listen: ANY_PORT, insecure: { host: '0.0.0.0', port: 0 } }),
    ).rejects.toThrow('plain HTTP is for loopback addresses only, not 0.0.0.0');
  });

  test('a client that does not trust the authority gets nowhere', async () => {
    const untrusting = new Promise((_, reject) => {
      httpsRequest(new URL('/version', server.url), { agent: false }).once('error', reject).end();
    });
    await expect(untrusting).rejects.toThrow('certificate');
  });
});

describe('the kubeconfig', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'podwire-kubeconfig-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('is for its owner alone, also where the file was there before', async () => {
    const path = join(folder, 'deep', 'kubeconfig');
    for (let round = 0; round < 2; round += 1) {
      await writeKubeconfig(path, server.kubeconfig);
      expect(statSync(path).mode & 0o777).toBe(0o600);
    }
  });
});

describe('limits', () => {
  test('a body over 3 MiB is 413, and nothing is stored', async () => {
    const body = configMap('big', 'x'.repeat(3 * 1024 * 1024));
    const answer = await call(CONFIG_MAPS, { method: 'POST', body });
    expect(answer.code).toBe(413);
    expect(JSON.parse(answer.text)).toMatchObject({ reason: 'RequestEntityTooLarge' });
    expect((await call(`${CONFIG_MAPS}/big`)).code).toBe(404);
  });

  test.each([
    ['headers', 'GET /version HTTP/1.1\r\nHost: localhost\r\n'],
    ['a body', `POST ${CONFIG_MAPS} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{`],
  ])('a client that does not finish %s is cut off', async (_, start) => {
    const { hostname, port } = new URL(server.url);
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect({ host: hostname, port: Number(port), ca });
      let text = '';
      socket.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      socket.once('error', reject);
      socket.once('close', () => resolve(text));
      socket.write(start.replace('\r\n\r\n', `\r\nAuthorization: Bearer ${token}\r\n\r\n`));
    });
    expect(answer).toContain('408 Request Timeout');
  });
});

describe('watches', () => {
  /** More than the sockets between hold. */
  async function writeMuch(): Promise<void> {
    const big = 'x'.repeat(500_000);
    for (let index = 0; index < 40; index += 1) {
      const answer = await call(CONFIG_MAPS, { method: 'POST', body: configMap(`m${index}`, big) });
      expect(answer.code).toBe(201);
    }
  }

  test('a reader that falls behind is told 410 at the end', async () => {
    const watch = await open(`${CONFIG_MAPS}?watch=true`);
    watch.pause();
    await writeMuch();
    let text = '';
    for await (const chunk of watch.setEncoding('utf8')) text += String(chunk);
    const last: unknown = JSON.parse(text.trimEnd().split('\n').at(-1) ?? '');
    expect(last).toMatchObject({
      type: 'ERROR',
      object: { kind: 'Status', code: 410, reason: 'Expired' },
    });
  });

  test('a reader that reads nothing at all is cut off', async () => {
    const watch = await open(`${CONFIG_MAPS}?watch=true`);
    watch.pause();
    await writeMuch();
    const cut = new Promise((resolve) => {
      watch.once('error', resolve);
      watch.once('close', resolve);
    });
    clock.advance(PATIENCE.stalledReaderMs);
    watch.resume();
    await cut;
    expect(watch.complete).toBe(false);
  });

  test('WatchList: what is there, then a bookmark that says so, then what comes', async () => {
    await call(CONFIG_MAPS, { method: 'POST', body: configMap('first') });
    const query =
      'watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
    const watch = await open(`${CONFIG_MAPS}?${query}`);
    const seen: string[] = [];
    for await (const chunk of watch.setEncoding('utf8')) {
      for (const line of String(chunk).trimEnd().split('\n')) {
        const { type, object } = JSON.parse(line) as {
          type: string;
          object: { metadata: { name?: string; annotations?: Record<string, string> } };
        };
        const { name = '', annotations = {} } = object.metadata;
        seen.push(`${type} ${name}${annotations['k8s.io/initial-events-end'] ?? ''}`);
        if (type === 'BOOKMARK')
          await call(CONFIG_MAPS, { method: 'POST', body: configMap('second') });
      }
      if (seen.length >= 3) break;
    }
    expect(seen).toEqual(['ADDED first', 'BOOKMARK true', 'ADDED second']);
  });
});

describe('content types', () => {
  test.each(['v2', 'v2beta1'])('aggregated discovery in version %s', async (version) => {
    const accept = `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;
    const answer = await call('/apis', { headers: { accept: `${accept},application/json` } });
    expect(answer.headers['content-type']).toBe(accept);
    const { kind, items } = JSON.parse(answer.text) as {
      kind: string;
      items: { metadata: { name: string } }[];
    };
    expect(kind).toBe('APIGroupDiscoveryList');
    expect(items.map(({ metadata }) => metadata.name)).toContain('apps');
  });

  test('OpenAPI v2 is protobuf, under a name that old clients can parse', async () => {
    const accept = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';
    const answer = await call('/openapi/v2', { headers: { accept } });
    expect(answer.code).toBe(200);
    expect(answer.headers['content-type']).toBe(
      'application/com.github.proto-openapi.spec.v2.v1.0+protobuf',
    );
    expect(answer.text).toContain('/apis/apps/v1/namespaces/{namespace}/deployments/{name}');
  });

  test('a protobuf body, as kubectl sends since 1.32', async () => {
    const field = (number: number, ...parts: Buffer[]): Buffer => {
      const content = Buffer.concat(parts);
      return Buffer.concat([Buffer.from([number * 8 + 2, content.length]), content]);
    };
    const text = (number: number, value: string): Buffer => field(number, Buffer.from(value));
    const object = Buffer.concat([
      field(1, text(1, 'from-protobuf')),
      field(2, text(1, 'color'), text(2, 'green')),
    ]);
    const envelope = Buffer.concat([
      Buffer.from('k8s\0'),
      field(1, text(1, 'v1'), text(2, 'ConfigMap')),
      field(2, object),
    ]);
    const answer = await call(CONFIG_MAPS, {
      method: 'POST',
      body: envelope,
      headers: { 'content-type': 'application/vnd.kubernetes.protobuf' },
    });
    expect(answer.code).toBe(201);
    expect(JSON.parse(answer.text)).toMatchObject({
      metadata: { name: 'from-protobuf' },
      data: { color: 'green' },
    });
  });

  test('warnings are headers', async () => {
    const answer = await call('/api/v1/namespaces/default/endpoints');
    expect(answer.headers['warning']).toBe(
      '299 - "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"',
    );
  });
});
