import { equalJson } from '../json.ts';
import { defineKind, type KindDefinition } from '../kind.ts';
import { isConfigMapKey, isDnsSubdomain } from '../names.ts';
import { ageColumn, nameColumn } from '../table.ts';
import type { Secret } from '../types/core.ts';
import { MAX_DATA_BYTES } from './config-map.ts';

/** Keys a type cannot do without (pkg/apis/core/validation ValidateSecret). */
const REQUIRED_KEYS: Readonly<Record<string, readonly string[]>> = {
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
};

export const secretKind: KindDefinition = defineKind<Secret>({
  kind: 'Secret',
  resource: 'secrets',
  singular: 'secret',
  namespaced: true,
  storagePrefix: 'secrets',
  versions: [{ group: '', version: 'v1' }],
  message: 'core.v1.Secret',
  nameCheck: isDnsSubdomain,
  hasGeneration: false,
  hasStatus: false,
  selectableFields: { type: '' },
  columns: [
    nameColumn,
    { name: 'Type', description: 'What it is for.', cell: (secret) => secret.type ?? '' },
    {
      name: 'Data',
      type: 'integer',
      description: 'How many keys it has.',
      cell: (secret) => Object.keys(secret.data ?? {}).length,
    },
    ageColumn,
  ],
  defaults(secret) {
    secret.type ??= 'Opaque';
    for (const [key, value] of Object.entries(secret.stringData ?? {}))
      (secret.data ??= {})[key] = Buffer.from(value).toString('base64');
    delete secret.stringData;
  },
  validate(secret, { errors }) {
    let bytes = 0;
    for (const [key, value] of Object.entries(secret.data ?? {})) {
      errors.invalidAll(`data[${key}]`, key, isConfigMapKey(key));
      bytes += Buffer.byteLength(value, 'base64');
    }
    if (bytes > MAX_DATA_BYTES) errors.tooLong('data', MAX_DATA_BYTES);
    for (const key of REQUIRED_KEYS[secret.type ?? ''] ?? [])
      if (!Object.hasOwn(secret.data ?? {}, key)) errors.required(`data[${key}]`);
  },
  validateUpdate(secret, old, { errors }) {
    if (secret.type !== old.type) errors.invalid('type', secret.type, 'field is immutable');
    if (old.immutable !== true) return;
    const why = 'field is immutable when `immutable` is set';
    if (secret.immutable !== true) errors.forbidden('immutable', why);
    if (!equalJson(secret.data, old.data)) errors.forbidden('data', why);
  },
});
