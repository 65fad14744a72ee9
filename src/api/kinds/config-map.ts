import { equalJson } from '../json.ts';
import { defineKind, type KindDefinition } from '../kind.ts';
import { isConfigMapKey, isDnsSubdomain } from '../names.ts';
import { ageColumn, nameColumn } from '../table.ts';
import type { ConfigMap } from '../types/core.ts';

/** ConfigMaps and Secrets alike (core/v1 MaxSecretSize). */
export const MAX_DATA_BYTES = 1_048_576;

export const configMapKind: KindDefinition = defineKind<ConfigMap>({
  kind: 'ConfigMap',
  resource: 'configmaps',
  singular: 'configmap',
  shortNames: ['cm'],
  namespaced: true,
  storagePrefix: 'configmaps',
  versions: [{ group: '', version: 'v1' }],
  message: 'core.v1.ConfigMap',
  nameCheck: isDnsSubdomain,
  hasGeneration: false,
  hasStatus: false,
  columns: [
    nameColumn,
    {
      name: 'Data',
      type: 'integer',
      description: 'How many keys it has.',
      cell: ({ data = {}, binaryData = {} }) =>
        Object.keys(data).length + Object.keys(binaryData).length,
    },
    ageColumn,
  ],
  validate({ data = {}, binaryData = {} }, { errors }) {
    let bytes = 0;
    for (const [key, value] of Object.entries(data)) {
      errors.invalidAll(`data[${key}]`, key, isConfigMapKey(key));
      bytes += Buffer.byteLength(value);
    }
    for (const [key, value] of Object.entries(binaryData)) {
      errors.invalidAll(`binaryData[${key}]`, key, isConfigMapKey(key));
      if (Object.hasOwn(data, key))
        errors.invalid(`data[${key}]`, key, 'duplicate of key present in binaryData');
      bytes += Buffer.byteLength(value, 'base64');
    }
    if (bytes > MAX_DATA_BYTES) errors.tooLong('', MAX_DATA_BYTES);
  },
  validateUpdate(configMap, old, { errors }) {
    if (old.immutable !== true) return;
    const why = 'field is immutable when `immutable` is set';
    if (configMap.immutable !== true) errors.forbidden('immutable', why);
    if (!equalJson(configMap.data, old.data)) errors.forbidden('data', why);
    if (!equalJson(configMap.binaryData, old.binaryData)) errors.forbidden('binaryData', why);
  },
});
