import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApiHarness } from './api-harness.ts';

const ACCESS = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
const RULES = '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews';
const WHO = '/apis/authentication.k8s.io/v1/selfsubjectreviews';

let api: ApiHarness;
beforeAll(async () => {
  api = await ApiHarness.start();
});
afterAll(() => api[Symbol.asyncDispose]());

test('whoever gets in may do everything, and hears it with the question', async () => {
  const resourceAttributes = { verb: 'create', resource: 'pods', namespace: 'default' };
  const answer = await api.call('POST', ACCESS, { body: { spec: { resourceAttributes } } });
  expect(answer).toMatchObject({
    code: 201,
    body: {
      kind: 'SelfSubjectAccessReview',
      apiVersion: 'authorization.k8s.io/v1',
      spec: { resourceAttributes },
      status: { allowed: true },
    },
  });
  const list = await api.call('POST', RULES, { body: { spec: { namespace: 'default' } } });
  expect(list.body).toMatchObject({
    status: { resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }] },
  });
});

test.each([
  [{}, 'kubernetes-admin', ['system:masters', 'system:authenticated']],
  [
    { 'impersonate-user': 'bob', 'impersonate-group': 'a, b' },
    'bob',
    ['a', 'b', 'system:authenticated'],
  ],
])('a client with headers %o is %s', async (headers, username, groups) => {
  const answer = await api.call('POST', WHO, { body: {}, headers });
  expect(answer.body).toMatchObject({ status: { userInfo: { username, groups } } });
});

test.each([
  [
    ACCESS,
    {},
    422,
    'SelfSubjectAccessReview.authorization.k8s.io "" is invalid: spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified',
  ],
  [
    ACCESS,
    { spec: { resourceAttributes: {}, nonResourceAttributes: {} } },
    422,
    'SelfSubjectAccessReview.authorization.k8s.io "" is invalid: spec.nonResourceAttributes: Invalid value: {}: cannot be specified in combination with resourceAttributes',
  ],
  [RULES, {}, 400, 'no namespace on request'],
  [
    WHO,
    { kind: 'Pod', apiVersion: 'v1' },
    400,
    'the object provided is unrecognized: got Pod in version v1, expected SelfSubjectReview in version authentication.k8s.io/v1',
  ],
])('%s refuses %j', async (url, body, code, message) => {
  expect(await api.call('POST', url, { body })).toMatchObject({ code, body: { message } });
});

test('questions are not stored', async () => {
  expect((await api.call('GET', ACCESS)).code).toBe(404);
  const groups = await api.call('GET', '/apis/authorization.k8s.io/v1');
  expect(groups.body).toMatchObject({
    resources: [
      { name: 'selfsubjectaccessreviews', verbs: ['create'] },
      { name: 'selfsubjectrulesreviews', verbs: ['create'] },
    ],
  });
});
