import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/api/json.ts';
import {
  applyConfiguration,
  trackUpdate,
  type Writer,
} from '../../src/api/managed-fields/managers.ts';
import { messageSchema } from '../../src/api/schema/schema.ts';
import type { KubeObject } from '../../src/api/types/meta.ts';

const message = messageSchema('apps.v1.Deployment');

function writer(manager: string, changes: Partial<Writer> = {}): Writer {
  return { manager, apiVersion: 'apps/v1', time: '2026-01-01T00:00:00Z', ...changes };
}

function deployment(spec: JsonObject, metadata: JsonObject = {}): KubeObject & JsonObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'default', ...metadata },
    spec,
  };
}

/** Applies, and keeps the managers as the server would. */
function apply(
  live: KubeObject | undefined,
  configuration: JsonObject,
  who: Writer,
  force = false,
): KubeObject & JsonObject {
  const outcome = applyConfiguration(message, live, configuration, who, force);
  if (outcome.kind === 'conflict')
    throw new Error(
      outcome.causes.map(({ message: text, field }) => `${text}: ${field}`).join('; '),
    );
  const { metadata, ...rest } = outcome.object as KubeObject & JsonObject;
  return { ...rest, metadata: { ...metadata, managedFields: outcome.entries } };
}

const container = (name: string, image: string): JsonObject => ({ name, image });
const template = (...containers: JsonObject[]): JsonObject => ({ spec: { containers } });

describe('server-side apply', () => {
  test('what was applied is owned, in the form of FieldsV1', () => {
    const live = apply(
      undefined,
      deployment({ replicas: 1, template: template(container('c', 'x')) }),
      writer('kubectl'),
    );
    expect(live.metadata.managedFields).toEqual([
      {
        manager: 'kubectl',
        operation: 'Apply',
        apiVersion: 'apps/v1',
        time: '2026-01-01T00:00:00Z',
        fieldsType: 'FieldsV1',
        fieldsV1: {
          'f:spec': {
            'f:replicas': {},
            'f:template': {
              'f:spec': {
                'f:containers': { 'k:{"name":"c"}': { '.': {}, 'f:name': {}, 'f:image': {} } },
              },
            },
          },
        },
      },
    ]);
  });

  test('another manager that changes it is refused, with the field and who has it', () => {
    const live = apply(undefined, deployment({ replicas: 1 }), writer('kubectl'));
    expect(() => apply(live, deployment({ replicas: 2 }), writer('helm'))).toThrow(
      'conflict with "kubectl": .spec.replicas',
    );
  });

  test('the same value is no conflict: then both own it', () => {
    const live = apply(undefined, deployment({ replicas: 1 }), writer('kubectl'));
    const both = apply(live, deployment({ replicas: 1 }), writer('helm'));
    expect(both.metadata.managedFields?.map(({ manager }) => manager)).toEqual(['kubectl', 'helm']);
  });

  test('force takes it over', () => {
    const live = apply(undefined, deployment({ replicas: 1, paused: true }), writer('kubectl'));
    const taken = apply(live, deployment({ replicas: 2 }), writer('helm'), true);
    expect(taken['spec']).toEqual({ replicas: 2, paused: true });
    expect(
      taken.metadata.managedFields?.map(({ manager, fieldsV1 }) => [manager, fieldsV1]),
    ).toEqual([
      ['kubectl', { 'f:spec': { 'f:paused': {} } }],
      ['helm', { 'f:spec': { 'f:replicas': {} } }],
    ]);
  });

  test('what is no longer said goes, unless someone else owns it', () => {
    const first = deployment({
      replicas: 1,
      template: template(container('a', 'x'), container('b', 'y')),
    });
    const live = apply(undefined, first, writer('kubectl'));
    const shared = apply(
      live,
      deployment({ template: template(container('b', 'y')) }),
      writer('helm'),
    );
    const after = apply(
      shared,
      deployment({ template: template(container('a', 'x')) }),
      writer('kubectl'),
    );
    expect(after['spec']).toEqual({ template: template(container('a', 'x'), container('b', 'y')) });
    const alone = apply(
      live,
      deployment({ template: template(container('a', 'x')) }),
      writer('kubectl'),
    );
    expect(alone['spec']).toEqual({ template: template(container('a', 'x')) });
  });

  test('atomic lists and maps are owned as a whole', () => {
    const live = apply(
      undefined,
      deployment({ selector: { matchLabels: { a: '1' } } }),
      writer('kubectl'),
    );
    expect(() =>
      apply(live, deployment({ selector: { matchLabels: { b: '2' } } }), writer('helm')),
    ).toThrow('conflict with "kubectl": .spec.selector');
  });

  test('a plain update owns what it changed, and the others lose it', () => {
    const live = apply(undefined, deployment({ replicas: 1, paused: true }), writer('kubectl'));
    const next = { ...live, spec: { replicas: 3, paused: true } };
    const entries = trackUpdate(message, live, next, writer('kubectl-scale'));
    expect(
      entries.map(({ manager, operation, fieldsV1 }) => [manager, operation, fieldsV1]),
    ).toEqual([
      ['kubectl', 'Apply', { 'f:spec': { 'f:paused': {} } }],
      ['kubectl-scale', 'Update', { 'f:spec': { 'f:replicas': {} } }],
    ]);
    const updated = { ...next, metadata: { ...next.metadata, managedFields: entries } };
    expect(() =>
      apply(updated, deployment({ replicas: 1, paused: true }), writer('kubectl')),
    ).toThrow('conflict with "kubectl-scale" using apps/v1: .spec.replicas');
  });

  test('nobody owns names, versions and the like; status belongs to writes of the status', () => {
    const live = deployment(
      { replicas: 1 },
      { uid: 'u', resourceVersion: '5', labels: { a: 'b' } },
    );
    const entries = trackUpdate(
      message,
      undefined,
      { ...live, status: { replicas: 1 } } as KubeObject,
      writer('w'),
    );
    expect(entries[0]?.fieldsV1).toEqual({
      'f:metadata': { 'f:labels': { 'f:a': {} } },
      'f:spec': { 'f:replicas': {} },
    });
    const ofStatus = trackUpdate(
      message,
      live,
      { ...live, status: { replicas: 1 } } as KubeObject,
      writer('w', { subresource: 'status' }),
    );
    expect(ofStatus[0]).toMatchObject({
      subresource: 'status',
      fieldsV1: { 'f:status': { 'f:replicas': {} } },
    });
  });
});
