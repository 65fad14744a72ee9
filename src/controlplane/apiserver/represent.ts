import { cloneJson, type JsonObject } from '../../api/json.ts';
import { formatApiVersion } from '../../api/kind.ts';
import type { ServedKind } from '../../api/kinds.ts';
import type { TableColumn } from '../../api/table.ts';
import type { KubeObject } from '../../api/types/meta.ts';
import type { Presentation } from './accept.ts';

/** Which part of the object a table row carries. */
export type IncludeObject = 'None' | 'Metadata' | 'Object';

export interface RepresentOptions {
  readonly presentation: Presentation;
  readonly includeObject: IncludeObject;
  readonly nowMs: number;
}

export interface ListMeta {
  readonly resourceVersion: string;
  readonly continue?: string;
  readonly remainingItemCount?: number;
}

/** The object in the version the client asked in. The storage version itself is shared, not copied. */
export function inVersion(object: KubeObject, { kind, version }: ServedKind): KubeObject {
  if (version === kind.versions[0]) return object;
  const copy = cloneJson(object) as KubeObject & JsonObject;
  copy.apiVersion = formatApiVersion(version);
  version.fromStorage?.(copy);
  return copy;
}

export function representObject(
  object: KubeObject,
  served: ServedKind,
  options: RepresentOptions,
): unknown {
  switch (options.presentation.kind) {
    case 'object':
      return inVersion(object, served);
    case 'metadata':
      return partialObject(object, 'meta.k8s.io/v1');
    case 'table':
      return table([object], served, options, {
        resourceVersion: object.metadata.resourceVersion ?? '',
      });
  }
}

export function representList(
  objects: readonly KubeObject[],
  served: ServedKind,
  options: RepresentOptions,
  metadata: ListMeta,
): unknown {
  switch (options.presentation.kind) {
    case 'object':
      return {
        kind: `${served.kind.kind}List`,
        apiVersion: formatApiVersion(served.version),
        metadata,
        items: objects.map((object) => inVersion(object, served)),
      };
    case 'metadata':
      return {
        kind: 'PartialObjectMetadataList',
        apiVersion: 'meta.k8s.io/v1',
        metadata,
        items: objects.map((object) => partialObject(object, 'meta.k8s.io/v1')),
      };
    case 'table':
      return table(objects, served, options, metadata);
  }
}

function table(
  objects: readonly KubeObject[],
  served: ServedKind,
  options: RepresentOptions,
  metadata: ListMeta,
): unknown {
  const { kind } = served;
  const version = options.presentation.kind === 'table' ? options.presentation.version : 'v1';
  const apiVersion = `meta.k8s.io/${version}`;
  const context = { nowMs: options.nowMs };
  return {
    kind: 'Table',
    apiVersion,
    metadata,
    columnDefinitions: kind.columns.map(columnDefinition),
    rows: objects.map((object) => {
      const conditions = kind.rowConditions?.(object) ?? [];
      const shown = rowObject(object, served, options.includeObject, apiVersion);
      return {
        cells: kind.columns.map((column) => column.cell(object, context)),
        ...(conditions.length === 0 ? {} : { conditions }),
        ...(shown === undefined ? {} : { object: shown }),
      };
    }),
  };
}

function columnDefinition(column: TableColumn<KubeObject>): JsonObject {
  return {
    name: column.name,
    type: column.type ?? 'string',
    format: column.format ?? '',
    description: column.description,
    priority: column.priority ?? 0,
  };
}

function rowObject(
  object: KubeObject,
  served: ServedKind,
  include: IncludeObject,
  apiVersion: string,
): unknown {
  switch (include) {
    case 'None':
      return undefined;
    case 'Metadata':
      return partialObject(object, apiVersion);
    case 'Object':
      return inVersion(object, served);
  }
}

function partialObject(object: KubeObject, apiVersion: string): unknown {
  return { kind: 'PartialObjectMetadata', apiVersion, metadata: object.metadata };
}
