import { equalJson } from '../json.ts';
import { defineKind, type KindDefinition } from '../kind.ts';
import { isDnsSubdomain } from '../names.ts';
import { ageColumn, nameColumn, orNone, type TableColumn } from '../table.ts';
import type { DaemonSet } from '../types/apps.ts';
import {
  containerColumns,
  defaultTemplate,
  selectorColumn,
  selectorFromTemplate,
  validateImmutableSelector,
  validateIntOrPercent,
  validateNonNegative,
  validateSelectorAndTemplate,
} from './workload.ts';

const TEMPLATE_GENERATION = 'deprecated.daemonset.template.generation';

export const daemonSetKind: KindDefinition = defineKind<DaemonSet>({
  kind: 'DaemonSet',
  resource: 'daemonsets',
  singular: 'daemonset',
  shortNames: ['ds'],
  categories: ['all'],
  namespaced: true,
  storagePrefix: 'daemonsets',
  versions: [
    { group: 'apps', version: 'v1' },
    {
      group: 'apps',
      version: 'v1beta2',
      legacy: true,
      deprecation:
        'apps/v1beta2 DaemonSet is deprecated in v1.9+, unavailable in v1.16+; use apps/v1 DaemonSet',
    },
    {
      group: 'extensions',
      version: 'v1beta1',
      legacy: true,
      message: 'extensions.v1beta1.DaemonSet',
      deprecation:
        'extensions/v1beta1 DaemonSet is deprecated in v1.9+, unavailable in v1.16+; use apps/v1 DaemonSet',
      defaults(object) {
        const set = object as unknown as DaemonSet;
        selectorFromTemplate(set);
        (set.spec.updateStrategy ??= {}).type ??= 'OnDelete';
      },
    },
  ],
  message: 'apps.v1.DaemonSet',
  nameCheck: isDnsSubdomain,
  hasGeneration: true,
  hasStatus: true,
  columns: [
    nameColumn,
    count('Desired', 'Nodes that should run it.', 'desiredNumberScheduled'),
    count('Current', 'Nodes that run it and should.', 'currentNumberScheduled'),
    count('Ready', 'Nodes where it is ready.', 'numberReady'),
    count('Up-to-date', 'Nodes with the current template.', 'updatedNumberScheduled'),
    count('Available', 'Nodes where it is available.', 'numberAvailable'),
    {
      name: 'Node Selector',
      description: 'Labels a node must have.',
      cell: (set) =>
        orNone(
          Object.entries(set.spec.template.spec.nodeSelector ?? {})
            .map(([key, value]) => `${key}=${value}`)
            .toSorted()
            .join(','),
        ),
    },
    ageColumn,
    ...containerColumns<DaemonSet>(),
    selectorColumn<DaemonSet>(),
  ],
  defaults({ spec }) {
    const strategy = (spec.updateStrategy ??= {});
    strategy.type ??= 'RollingUpdate';
    if (strategy.type === 'RollingUpdate') {
      const rolling = (strategy.rollingUpdate ??= {});
      rolling.maxUnavailable ??= 1;
      rolling.maxSurge ??= 0;
    }
    spec.revisionHistoryLimit ??= 10;
    defaultTemplate(spec.template);
  },
  prepareForCreate(set) {
    setTemplateGeneration(set, 1);
    set.status = {
      currentNumberScheduled: 0,
      desiredNumberScheduled: 0,
      numberMisscheduled: 0,
      numberReady: 0,
    };
  },
  prepareForUpdate(set, old) {
    const before = Number(old.metadata.annotations?.[TEMPLATE_GENERATION] ?? 1);
    setTemplateGeneration(
      set,
      equalJson(set.spec.template, old.spec.template) ? before : before + 1,
    );
  },
  validate(set, { errors }) {
    validateSelectorAndTemplate(set, errors);
    const { updateStrategy, minReadySeconds, revisionHistoryLimit } = set.spec;
    validateNonNegative(minReadySeconds, 'spec.minReadySeconds', errors);
    validateNonNegative(revisionHistoryLimit, 'spec.revisionHistoryLimit', errors);
    const type = updateStrategy?.type ?? '';
    if (type !== 'RollingUpdate' && type !== 'OnDelete')
      errors.notSupported('spec.updateStrategy.type', type, ['OnDelete', 'RollingUpdate']);
    const at = 'spec.updateStrategy.rollingUpdate';
    const rolling = updateStrategy?.rollingUpdate;
    validateIntOrPercent(rolling?.maxUnavailable, `${at}.maxUnavailable`, errors);
    validateIntOrPercent(rolling?.maxSurge, `${at}.maxSurge`, errors);
    if (type === 'RollingUpdate' && rolling?.maxUnavailable === 0 && rolling.maxSurge === 0)
      errors.invalid(`${at}.maxUnavailable`, 0, 'cannot be 0 when maxSurge is 0');
  },
  validateUpdate(set, old, { errors }) {
    validateImmutableSelector(set, old, errors);
  },
});

/** spec.templateGeneration of extensions/v1beta1, which apps/v1 keeps in an annotation. */
function setTemplateGeneration(set: DaemonSet, generation: number): void {
  const annotations = (set.metadata.annotations ??= {});
  annotations[TEMPLATE_GENERATION] = String(generation);
}

function count(
  name: string,
  description: string,
  field:
    | 'desiredNumberScheduled'
    | 'currentNumberScheduled'
    | 'numberReady'
    | 'updatedNumberScheduled'
    | 'numberAvailable',
): TableColumn<DaemonSet> {
  return { name, type: 'integer', description, cell: (set) => set.status?.[field] ?? 0 };
}
