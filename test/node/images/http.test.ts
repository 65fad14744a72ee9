import { request } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { ManualClock } from '../../../src/base/clock.ts';
import { agnhost } from '../../../src/node/images/agnhost-image.ts';
import { BUILTIN_IMAGES, imageBaseName } from '../../../src/node/images/catalogue.ts';
import { httpOn, httpOnDeclaredPorts } from '../../../src/node/images/http-image.ts';
import { BuiltinRuntime } from '../../../src/node/runtime/builtin-runtime.ts';
import { anyPort, containerSpec, urlIn } from '../support/container-spec.ts';

interface Answer {
  readonly code: number;
  readonly body: string;
  readonly headers: Record<string, string | string[] | undefined>;
}

function get(url: string, headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    request(url, { agent: false, headers }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      response.once('end', () =>
        resolve({ code: response.statusCode ?? 0, body, headers: response.headers }),
      );
    })
      .once('error', reject)
      .end();
  });
}

test('whoami tells who answered, who asked and what', async () => {
  const spec = containerSpec({ image: 'tomcat:9' });
  const image = await httpOn(8080).start(spec, anyPort);
  const { body, headers } = await get(`${urlIn(spec)}/path?q=1`, { 'x-asked': 'by-me' });
  await image[Symbol.asyncDispose]();
  expect(headers['x-pod-name']).toBe('web-0');
  expect(body).toMatch(/^Hostname: web-0$/m);
  expect(body).toMatch(/^Node: node-1$/m);
  expect(body).toMatch(/^RemoteAddr: 127\.0\.0\.1:\d+$/m);
  expect(body).toMatch(/^GET \/path\?q=1 HTTP\/1\.1$/m);
  expect(body).toMatch(/^x-asked: by-me$/m);
});

test('after SIGTERM it still answers for a moment, closing each connection', async () => {
  const spec = containerSpec();
  const image = await httpOn(80).start(spec, anyPort);
  const closed = image.close();
  const { code, headers } = await get(urlIn(spec));
  expect([code, headers['connection']]).toEqual([200, 'close']);
  await image[Symbol.asyncDispose]();
  await closed;
  await expect(get(urlIn(spec))).rejects.toThrow('ECONNREFUSED');
});

test('it ends when five looks in a row saw nothing come in, however late they were', async () => {
  const spec = containerSpec();
  const clock = new ManualClock();
  const image = await httpOn(80).start(spec, { ...anyPort, clock });
  const closed = image.close();
  const look = async (): Promise<void> => {
    clock.advance(100);
    await turn();
  };
  for (let looks = 0; looks < 4; looks += 1) await look();
  expect((await get(urlIn(spec))).code).toBe(200);
  for (let looks = 0; looks < 4; looks += 1) await look();
  expect((await get(urlIn(spec))).code).toBe(200);
  // A process that stood still for a second has looked once.
  clock.advance(1000);
  for (let looks = 0; looks < 6; looks += 1) await look();
  await closed;
  await expect(get(urlIn(spec))).rejects.toThrow('ECONNREFUSED');
});

test('nobody who goes on asking keeps it for more than fifty looks', async () => {
  const spec = containerSpec();
  const clock = new ManualClock();
  const image = await httpOn(80).start(spec, { ...anyPort, clock });
  const closed = image.close();
  for (let looks = 0; looks < 50; looks += 1) {
    expect((await get(urlIn(spec))).code).toBe(200);
    clock.advance(100);
    await turn();
  }
  await closed;
  await expect(get(urlIn(spec))).rejects.toThrow('ECONNREFUSED');
});

test('an unknown image serves each declared TCP port once', async () => {
  const ports = [
    { port: 3306, protocol: 'TCP' as const },
    { port: 3306, protocol: 'UDP' as const },
    { port: 9104, protocol: 'TCP' as const },
  ];
  const asked: number[] = [];
  const image = await httpOnDeclaredPorts.start(containerSpec({ ports }), {
    ...anyPort,
    bindPort: (_, port) => {
      asked.push(port);
      return 0;
    },
  });
  await image[Symbol.asyncDispose]();
  expect(asked).toEqual([3306, 9104]);
});

test('agnhost netexec answers its paths and exits when told', async () => {
  const spec = containerSpec({ args: ['netexec', '--http-port=8080'] });
  const handle = await new BuiltinRuntime(anyPort.clock, anyPort).start({
    ...spec,
    image: 'agnhost',
  });
  const url = urlIn(spec);
  expect((await get(`${url}/hostname`)).body).toBe('web-0');
  expect((await get(`${url}/echo?msg=hi&code=418`)).code).toBe(418);
  expect((await get(`${url}/clientip`)).body).toMatch(/^127\.0\.0\.1:\d+$/);
  expect((await get(`${url}/header?key=X-A`, { 'x-a': 'b' })).body).toBe('b');
  expect((await get(`${url}/nothing`)).code).toBe(404);
  await get(`${url}/exit?code=3`);
  expect(await handle.exited).toEqual({ exitCode: 3, reason: 'Error' });
});

test('agnhost refuses what it does not know', () => {
  expect(() => agnhost.start(containerSpec({ args: ['shell'] }), anyPort)).toThrow(
    'unknown command "shell"',
  );
});

test('a server that cannot bind ends with code 1 and says why', async () => {
  const first = containerSpec();
  const holder = await httpOn(80).start(first, anyPort);
  const port = Number(new URL(urlIn(first)).port);
  const second = containerSpec();
  const runtime = new BuiltinRuntime(anyPort.clock, { ...anyPort, bindPort: () => port });
  const handle = await runtime.start(second);
  expect(await handle.exited).toMatchObject({ exitCode: 1 });
  expect(second.output.lines[0]?.text).toMatch(/EADDRINUSE.*another program/);
  await holder[Symbol.asyncDispose]();
});

test.each([
  ['docker.example.org:443/kubeguide/tomcat', 'tomcat'],
  ['nginx:1.14.2', 'nginx'],
  ['gcr.io/google-samples/node-hello:1.0', 'node-hello'],
  ['registry.k8s.io/pause@sha256:abc', 'pause'],
])('%s is the image %s', (image, name) => {
  expect(imageBaseName(image)).toBe(name);
  expect(BUILTIN_IMAGES).toHaveProperty(name);
});
