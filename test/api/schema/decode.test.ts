import { describe, expect, test } from 'vitest';
import { decodeObject, DecodeError } from '../../../src/api/schema/decode.ts';
import { decodeProtobuf, readEnvelope } from '../../../src/api/schema/protobuf.ts';
import { messageSchema } from '../../../src/api/schema/schema.ts';

const pod = messageSchema('core.v1.Pod');

describe('decoding JSON', () => {
  test('unknown fields are dropped and named; nulls and empty lists and maps count as absent', () => {
    const { object, unknownFields } = decodeObject(pod, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p', labels: {}, creationTimestamp: null },
      spec: { containers: [{ name: 'c', foo: 1, env: [] }], hostNetwork: null, nope: {} },
    });
    expect(unknownFields).toEqual(['spec.containers[0].foo', 'spec.nope']);
    expect(object['metadata']).toEqual({ name: 'p' });
  });

  test('structs that are values in Go are always there', () => {
    const { object } = decodeObject(pod, { spec: { containers: [{ name: 'c' }] } });
    expect(object).toMatchObject({
      metadata: {},
      status: {},
      spec: { containers: [{ resources: {} }] },
    });
  });

  test('__proto__ is a name like any other', () => {
    const labels = JSON.parse('{"__proto__":"x"}') as Record<string, string>;
    const { object } = decodeObject(pod, { metadata: { labels } });
    expect(JSON.stringify(object['metadata'])).toBe('{"labels":{"__proto__":"x"}}');
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });

  const wrong: [value: object, path: string, message: string][] = [
    [
      { metadata: 'x' },
      'metadata',
      'json: cannot unmarshal string into Go struct field Pod.metadata of type v1.ObjectMeta',
    ],
    [
      { spec: { hostNetwork: 'yes' } },
      'spec.hostNetwork',
      'json: cannot unmarshal string into Go struct field PodSpec.spec.hostNetwork of type bool',
    ],
    [
      { spec: { containers: [{ ports: [{ containerPort: 2 ** 40 }] }] } },
      'spec.containers[0].ports[0].containerPort',
      'json: cannot unmarshal number 1099511627776 into Go struct field ContainerPort.spec.containers.ports.containerPort of type int32',
    ],
    [
      { metadata: { labels: { a: 1 } } },
      'metadata.labels.a',
      'json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels.a of type string',
    ],
    [
      { metadata: { creationTimestamp: 'today' } },
      'metadata.creationTimestamp',
      'parsing time "today" as "2006-01-02T15:04:05Z07:00": cannot parse it',
    ],
    [
      { spec: { containers: {} } },
      'spec.containers',
      'json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container',
    ],
  ];
  for (const [value, path, message] of wrong)
    test(`${path} of the wrong type is refused in Go's words`, () => {
      expect(() => decodeObject(pod, { ...value })).toThrow(
        expect.objectContaining({ path, message }),
      );
    });

  test('input nested without end is refused before the stack is', () => {
    let schema: object = {};
    for (let depth = 0; depth < 10_000; depth += 1) schema = { not: schema };
    const value = { spec: { affinity: { nodeAffinity: schema } } };
    expect(decodeObject(pod, value).unknownFields.length).toBe(1);
    expect(() => decodeObject(pod, { metadata: [] })).toThrow(DecodeError);
  });
});

/** Just enough of an encoder to write what kubectl sends. */
function field(number: number, value: Buffer | string | number): Buffer {
  if (typeof value === 'number') return Buffer.from([number << 3, value]);
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
}

describe('decoding protobuf', () => {
  test('zeros stay where Go has a pointer, and go where it has none', () => {
    const spec = Buffer.concat([field(1, 0), field(5, 0), field(7, 0)]);
    expect(decodeProtobuf('apps.v1.Deployment', field(2, spec))).toEqual({ spec: { replicas: 0 } });
  });

  test('maps, IntOrString, quantities, times and inlined members become JSON', () => {
    const metadata = Buffer.concat([
      field(1, 'x'),
      field(8, field(1, 5)),
      field(11, Buffer.concat([field(1, 'app'), field(2, 'web')])),
    ]);
    const port = Buffer.concat([
      field(3, 80),
      field(4, Buffer.concat([field(1, 1), field(3, 'http')])),
    ]);
    const spec = field(1, port);
    expect(
      decodeProtobuf('core.v1.Service', Buffer.concat([field(1, metadata), field(2, spec)])),
    ).toEqual({
      metadata: { name: 'x', creationTimestamp: '1970-01-01T00:00:05Z', labels: { app: 'web' } },
      spec: { ports: [{ port: 80, targetPort: 'http' }] },
    });
    const volume = Buffer.concat([field(1, 'v'), field(2, field(2, ''))]);
    expect(decodeProtobuf('core.v1.PodSpec', field(1, volume))).toEqual({
      volumes: [{ name: 'v', emptyDir: {} }],
    });
    const limits = field(1, Buffer.concat([field(1, 'cpu'), field(2, field(1, '100m'))]));
    expect(decodeProtobuf('core.v1.ResourceRequirements', limits)).toEqual({
      limits: { cpu: '100m' },
    });
  });

  test('the envelope says what is in it; anything else is refused', () => {
    const body = Buffer.concat([
      Buffer.from('k8s\0'),
      field(1, Buffer.concat([field(1, 'apps/v1'), field(2, 'Deployment')])),
      field(2, 'raw'),
    ]);
    expect(readEnvelope(body)).toMatchObject({ apiVersion: 'apps/v1', kind: 'Deployment' });
    expect(() => readEnvelope(Buffer.from('{}'))).toThrow(
      'does not appear to be a protobuf message',
    );
    expect(() => decodeProtobuf('core.v1.Service', Buffer.from([0x0a, 0x7f]))).toThrow(
      'unexpected end',
    );
  });
});
