import { KINDS } from '../../api/kinds.ts';
import type { KindDefinition, KindVersion } from '../../api/kind.ts';

/**
 * `/openapi/v2` as kubectl needs it to know what it may send: paths with their dryRun and fieldValidation
 * parameters and the kinds behind them, no schemas. In gnostic's protobuf (OpenAPIv2.proto); the numbers
 * are its field numbers.
 */
export function openApiDocument(version: string): Buffer {
  const paths = KINDS.flatMap((kind) => kind.versions.map((served) => pathItem(kind, served)));
  return Buffer.concat([
    text(1, '2.0'),
    field(2, Buffer.concat([text(1, 'Kubernetes'), text(2, version)])),
    field(8, Buffer.concat(paths.map((path) => field(2, path)))),
  ]);
}

/** NamedPathItem of `/apis/apps/v1/namespaces/{namespace}/deployments/{name}`. */
function pathItem(kind: KindDefinition, version: KindVersion): Buffer {
  const prefix =
    version.group === '' ? `/api/${version.version}` : `/apis/${version.group}/${version.version}`;
  const scope = kind.namespaced ? '/namespaces/{namespace}' : '';
  const item = Buffer.concat([
    field(3, operation(kind, version, 'replace', 'put')),
    field(8, operation(kind, version, 'patch', 'patch')),
  ]);
  return Buffer.concat([text(1, `${prefix}${scope}/${kind.resource}/{name}`), field(2, item)]);
}

function operation(
  kind: KindDefinition,
  version: KindVersion,
  verb: string,
  action: string,
): Buffer {
  const gvk = { group: version.group, kind: kind.kind, version: version.version };
  const group = version.group.split('.')[0] ?? '';
  return Buffer.concat([
    text(
      5,
      `${verb}${capital(group === '' ? 'core' : group)}${capital(version.version)}${kind.kind}`,
    ),
    field(8, queryParameter('dryRun')),
    field(8, queryParameter('fieldManager')),
    field(8, queryParameter('fieldValidation')),
    field(13, extension('x-kubernetes-action', JSON.stringify(action))),
    field(13, extension('x-kubernetes-group-version-kind', JSON.stringify(gvk))),
  ]);
}

/** ParametersItem{Parameter{NonBodyParameter{QueryParameterSubSchema}}}. */
function queryParameter(name: string): Buffer {
  const schema = Buffer.concat([text(2, 'query'), text(4, name), text(6, 'string')]);
  return field(1, field(2, field(3, schema)));
}

/** NamedAny whose value is YAML text. */
function extension(name: string, yaml: string): Buffer {
  return Buffer.concat([text(1, name), field(2, text(2, yaml))]);
}

function capital(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1);
}

function text(number: number, value: string): Buffer {
  return field(number, Buffer.from(value));
}

/** A length-delimited field. */
function field(number: number, value: Buffer): Buffer {
  return Buffer.concat([varint(number * 8 + 2), varint(value.length), value]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let left = value;
  while (left >= 0x80) {
    bytes.push((left & 0x7f) | 0x80);
    left = Math.floor(left / 0x80);
  }
  bytes.push(left);
  return Buffer.from(bytes);
}
