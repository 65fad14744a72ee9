import { expect, test } from 'vitest';
import { candidatesFor, explainName, ADDRESS_TYPES } from '../../../src/dns/explain/explain.ts';
import { formatExplanation } from '../../../src/dns/explain/format-explanation.ts';
import { clusterSource, TEST_PEER, testClock } from '../cluster-fixture.ts';
import { startTestServer } from '../dns-fixture.ts';

const SEARCHES = ['testns.svc.cluster.local', 'svc.cluster.local', 'cluster.local', 'example.org'];

test.each([
  [
    'web',
    5,
    [
      'web.testns.svc.cluster.local.',
      'web.svc.cluster.local.',
      'web.cluster.local.',
      'web.example.org.',
      'web.',
    ],
  ],
  ['web.', 5, ['web.']],
  ['a.b.c.d.e.f', 5, ['a.b.c.d.e.f.', 'a.b.c.d.e.f.testns.svc.cluster.local.']],
  ['a.b', 1, ['a.b.', 'a.b.testns.svc.cluster.local.']],
])('%s with ndots:%i is tried as %j', (name, ndots, names) => {
  const tried = candidatesFor(name, SEARCHES, ndots).map((candidate) => candidate.name);
  expect(tried.slice(0, names.length)).toEqual(names);
});

async function explain(name: string, block = ''): Promise<string> {
  await using server = await startTestServer(
    `. {\n ${block}\n kubernetes cluster.local\n hosts {\n  192.0.2.1 api.example.com\n  fallthrough\n }\n}`,
    { source: clusterSource(), clock: testClock() },
  );
  return formatExplanation(
    await explainName({
      name,
      types: ADDRESS_TYPES,
      resolvConf: { nameservers: [], searches: SEARCHES.slice(0, 3), options: ['ndots:5'] },
      peer: TEST_PEER,
      ask: (message, peer) => server.trace(message, peer),
    }),
  );
}

test('a short name of the own namespace is found at once', async () => {
  expect(
    await explain('svc1'),
  ).toBe(`1. svc1.testns.svc.cluster.local. (search domain testns.svc.cluster.local)
   A     NOERROR by kubernetes
         kubernetes: cluster IP 10.0.0.1 [Service testns/svc1]
         svc1.testns.svc.cluster.local. 5 IN A 10.0.0.1
   AAAA  NODATA by kubernetes
         kubernetes: cluster IP 10.0.0.1 [Service testns/svc1]

svc1: found as svc1.testns.svc.cluster.local. with 2 queries.`);
});

test('a Service without ready endpoints says so, and so does a namespace that is not there', async () => {
  const text = await explain('nobody.testns');
  expect(text).toContain('kubernetes: namespace testns has no Service testns');
  expect(text).toMatch(
    /kubernetes: the Service has no ready endpoint: .* \[Service testns\/nobody\]/,
  );
  expect(await explain('svc1.nowhere')).toContain('kubernetes: namespace nowhere does not exist');
});

test('the cache is told apart from the source, and a wrong port is named', async () => {
  const text = await explain('_nope._tcp.svc1', 'cache 30');
  expect(text).toContain('cache: not in the cache');
  expect(text).toContain(
    'kubernetes: no port _nope._tcp; there is _http._tcp [Service testns/svc1]',
  );
});

test('a name outside the cluster shows what ndots:5 costs', async () => {
  const text = await explain('api.example.com');
  expect(text).toContain('4. api.example.com. (as given)');
  expect(text.split('\n').at(-1)).toBe(
    'api.example.com: found as api.example.com. with 8 queries, 6 of them for nothing. ndots:5 makes the search list come first: "api.example.com." with a trailing dot, or a lower ndots, saves them.',
  );
});

test.each([
  ['scv1.testns', 'namespace testns has no Service scv1; did you mean svc1?'],
  ['svc1.tsetns', 'namespace tsetns does not exist; did you mean testns?'],
  ['svc1.empty', 'namespace empty has no Service svc1; there is one in testns'],
  ['svc1.testns.cluster.local', 'did you mean svc1.testns.svc.cluster.local.?'],
  [
    'nothing.like.it.cluster.local',
    'Services are SERVICE.NAMESPACE.svc, pods A-B-C-D.NAMESPACE.pod',
  ],
  ['web-9.web', 'no ready endpoint is called web-9; there is web-0, web-1'],
  ['_nope._tcp.web', 'no endpoint has a port _nope._tcp; there is _http._tcp, _admin._tcp'],
  ['www.example.net', 'no plugin answers for this name; names elsewhere need forward'],
])('%s: %s', async (name, why) => {
  expect(await explain(name)).toContain(why);
});
