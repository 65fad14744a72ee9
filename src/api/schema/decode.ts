import { isJsonObject, type JsonObject, setOwn } from '../json.ts';
import { isQuantity } from '../quantity.ts';
import { type FieldSchema, type MessageSchema, structName } from './schema.ts';

/** A value of the wrong JSON type; worded as Go's encoding/json words it. Always a 400. */
export class DecodeError extends Error {
  readonly path: string;

  constructor(path: string, message: string) {
    super(message);
    this.name = 'DecodeError';
    this.path = path;
  }
}

export interface Decoded {
  readonly object: JsonObject;
  /** Paths the schema does not know; they are left out of `object`. */
  readonly unknownFields: readonly string[];
}

/** Deeper input is refused before it can exhaust the stack; no served kind nests a quarter of it. */
const MAX_DEPTH = 128;

const RFC3339 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})$/;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * Checks JSON against a message: types are enforced (throws {@link DecodeError}), unknown fields are dropped
 * and reported, nulls and empty lists and maps count as absent, and structs that are values in Go are always there, if only as `{}`.
 */
export function decodeObject(message: MessageSchema, input: JsonObject): Decoded {
  const unknownFields: string[] = [];
  const head = { apiVersion: input['apiVersion'], kind: input['kind'] };
  const body: JsonObject = {};
  for (const key of Object.keys(input))
    if (key !== 'apiVersion' && key !== 'kind') setOwn(body, key, input[key]);
  const object = decodeMessage(message, body, '', { unknownFields, depth: 0 });
  return { object: { ...head, ...object }, unknownFields };
}

interface Context {
  readonly unknownFields: string[];
  readonly depth: number;
}

function decodeMessage(
  message: MessageSchema,
  input: JsonObject,
  path: string,
  context: Context,
): JsonObject {
  if (context.depth > MAX_DEPTH) throw new DecodeError(path, 'exceeded max depth');
  const inner = { unknownFields: context.unknownFields, depth: context.depth + 1 };
  const output: JsonObject = {};
  for (const key of Object.keys(input)) {
    const field = message.fields.get(key);
    const fieldPath = path === '' ? key : `${path}.${key}`;
    if (field === undefined) {
      context.unknownFields.push(fieldPath);
      continue;
    }
    const value = input[key];
    if (value === null || value === undefined) continue;
    const decoded = decodeField(field, value, fieldPath, message, inner);
    if (!isOmitted(field, decoded)) output[key] = decoded;
  }
  for (const field of message.fields.values())
    if (isValueStruct(field) && output[field.name] === undefined)
      output[field.name] = decodeMessage(
        field.message,
        {},
        path === '' ? field.name : `${path}.${field.name}`,
        inner,
      );
  return output;
}

/** Go's omitempty: lists and maps without entries are absent. */
function isOmitted(field: FieldSchema, value: unknown): boolean {
  if (field.repeated) return Array.isArray(value) && value.length === 0;
  return field.map && isJsonObject(value) && Object.keys(value).length === 0;
}

/** A Go struct member that is neither pointer, slice nor map is always present. */
function isValueStruct(field: FieldSchema): field is FieldSchema & { message: MessageSchema } {
  return field.message !== undefined && !field.pointer && !field.repeated && !field.map;
}

function decodeField(
  field: FieldSchema,
  value: unknown,
  path: string,
  owner: MessageSchema,
  context: Context,
): unknown {
  if (field.repeated) {
    if (!Array.isArray(value)) throw mismatch(value, path, owner, `[]${goType(field)}`);
    return value.map((item, index) =>
      item === null && field.message !== undefined
        ? decodeMessage(field.message, {}, `${path}[${index}]`, context)
        : decodeValue(field, item, `${path}[${index}]`, owner, context),
    );
  }
  if (!field.map) return decodeValue(field, value, path, owner, context);
  if (!isJsonObject(value)) throw mismatch(value, path, owner, `map[string]${goType(field)}`);
  const output: JsonObject = {};
  for (const key of Object.keys(value))
    if (value[key] !== null)
      setOwn(output, key, decodeValue(field, value[key], `${path}.${key}`, owner, context));
    else if (field.type === 'string' || field.type === 'bytes') setOwn(output, key, '');
  return output;
}

function decodeValue(
  field: FieldSchema,
  value: unknown,
  path: string,
  owner: MessageSchema,
  context: Context,
): unknown {
  if (field.message !== undefined) {
    if (!isJsonObject(value)) throw mismatch(value, path, owner, goType(field));
    return decodeMessage(field.message, value, path, context);
  }
  return decodeScalar(field, value, path, owner);
}

function decodeScalar(
  field: FieldSchema,
  value: unknown,
  path: string,
  owner: MessageSchema,
): unknown {
  switch (field.type) {
    case 'bool':
      if (typeof value === 'boolean') return value;
      break;
    case 'int32':
      if (isInteger(value, 2 ** 31)) return value;
      break;
    case 'int64':
      if (isInteger(value, 2 ** 63)) return value;
      break;
    case 'IntOrString':
      if (typeof value === 'string' || isInteger(value, 2 ** 31)) return value;
      break;
    case 'Quantity':
      return decodeQuantity(value, path, owner);
    case 'Time':
    case 'MicroTime':
      return decodeTime(value, path, owner);
    case 'bytes':
      if (typeof value === 'string' && BASE64.test(value)) return value;
      if (typeof value === 'string')
        throw new DecodeError(path, 'illegal base64 data at input byte 0');
      break;
    case 'FieldsV1':
    case 'RawExtension':
      if (isJsonObject(value)) return value;
      break;
    default:
      if (typeof value === 'string') return value;
  }
  throw mismatch(value, path, owner, goType(field));
}

function isInteger(value: unknown, bound: number): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= -bound && value < bound;
}

function decodeQuantity(value: unknown, path: string, owner: MessageSchema): string {
  if (typeof value !== 'number' && typeof value !== 'string')
    throw mismatch(value, path, owner, 'resource.Quantity');
  const text = String(value);
  if (!isQuantity(text))
    throw new DecodeError(
      path,
      "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    );
  return text;
}

function decodeTime(value: unknown, path: string, owner: MessageSchema): string {
  if (typeof value !== 'string') throw mismatch(value, path, owner, 'string');
  if (!RFC3339.test(value) || Number.isNaN(Date.parse(value)))
    throw new DecodeError(
      path,
      `parsing time ${JSON.stringify(value)} as "2006-01-02T15:04:05Z07:00": cannot parse it`,
    );
  return value;
}

function goType(field: FieldSchema): string {
  if (field.message !== undefined) {
    const [group = '', version = ''] = field.message.name.split('.');
    return `${group === 'meta' ? 'v1' : version}.${structName(field.message)}`;
  }
  if (field.type === 'bytes') return '[]uint8';
  if (field.type === 'IntOrString') return 'intstr.IntOrString';
  return field.type;
}

function mismatch(
  value: unknown,
  path: string,
  owner: MessageSchema,
  goTypeName: string,
): DecodeError {
  return new DecodeError(
    path,
    `json: cannot unmarshal ${jsonType(value)} into Go struct field ${structName(owner)}.${path.replaceAll(/\[\d+\]/g, '')} of type ${goTypeName}`,
  );
}

function jsonType(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'number')
    return Number.isInteger(value) && Math.abs(value) < 2 ** 31 ? 'number' : `number ${value}`;
  return typeof value;
}
