import { defineKind, type KindDefinition } from './kind.ts';
import { isDnsSubdomain } from './names.ts';
import { ageColumn, nameColumn } from './table.ts';
import type { KubeObject } from './types/meta.ts';

export interface Scale extends KubeObject {
  spec: { replicas: number };
  status: { replicas: number; selector: string };
}

/** What the scale subresource shows of a workload. It is never stored, so it stands in no registry. */
export const scaleKind: KindDefinition = defineKind<Scale>({
  kind: 'Scale',
  resource: 'scale',
  singular: 'scale',
  namespaced: true,
  storagePrefix: '',
  versions: [{ group: 'autoscaling', version: 'v1' }],
  message: 'autoscaling.v1.Scale',
  nameCheck: isDnsSubdomain,
  hasGeneration: false,
  hasStatus: false,
  columns: [
    nameColumn,
    {
      name: 'Desired',
      type: 'integer',
      description: 'Pods that are asked for.',
      cell: ({ spec }) => spec.replicas,
    },
    {
      name: 'Available',
      type: 'integer',
      description: 'Pods that are there.',
      cell: ({ status }) => status.replicas,
    },
    ageColumn,
  ],
});
