import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiHarness } from './api-harness.ts';
import { INVALID_OBJECTS } from './invalid-objects.ts';
import { REFUSED_REQUESTS } from './refused-requests.ts';
import { APPS, CORE, deployment, pod, service } from './request-objects.ts';

let api: ApiHarness;

beforeAll(async () => {
  api = await ApiHarness.start();
  const taken = await api.call('POST', `${CORE}/services`, {
    body: service({ type: 'NodePort', ports: [{ port: 80, nodePort: 30080 }] }, { name: 'taken' }),
  });
  if (taken.code !== 201) throw new Error(JSON.stringify(taken.body));
  const made = await api.call('POST', `${APPS}/deployments`, {
    body: { ...deployment({ replicas: 0 }), metadata: { name: 'dep' } },
  });
  if (made.code !== 201) throw new Error(JSON.stringify(made.body));
  const lone = await api.call('POST', `${CORE}/pods`, { body: pod({}, { name: 'lone' }) });
  if (lone.code !== 201) throw new Error(JSON.stringify(lone.body));
  // Controllers come to rest, so that the revision stands still but for what tests do.
  for (let turn = 0; turn < 200; turn += 1) await new Promise((resolve) => setImmediate(resolve));
});
afterAll(() => api[Symbol.asyncDispose]());

describe('nothing is stored and the field is named', () => {
  for (const [title, url, body, field, message] of INVALID_OBJECTS)
    test(`refuses ${title}`, async () => {
      const { revision } = api.plane.registry;
      const answer = await api.call('POST', url, { body });
      expect(answer.code).toBe(422);
      expect(answer.body['reason']).toBe('Invalid');
      const causes = [...(answer.body['details']?.['causes'] ?? [])];
      expect(causes).toContainEqual(expect.objectContaining({ field, message }));
      expect(api.plane.registry.revision).toBe(revision);
    });
});

describe('nothing is stored and the Status says why', () => {
  for (const [title, method, url, options, code, reason, message] of REFUSED_REQUESTS)
    test(`refuses ${title}`, async () => {
      const { revision } = api.plane.registry;
      const answer = await api.call(method, url, options);
      expect(answer).toMatchObject({
        code,
        body: { kind: 'Status', status: 'Failure', reason, code },
      });
      expect(answer.body['message']).toEqual(expect.stringContaining(message));
      expect(api.plane.registry.revision).toBe(revision);
    });
});
