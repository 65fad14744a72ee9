import { defineKind, type KindDefinition } from '../kind.ts';
import { isDnsSubdomain, isLabelValue, isQualifiedName } from '../names.ts';
import { ageColumn, nameColumn, orNone } from '../table.ts';
import { equalJson } from '../json.ts';
import type { Node, NodeAddress } from '../types/core.ts';

const ROLE_PREFIX = 'node-role.kubernetes.io/';
const ROLE_LABEL = 'kubernetes.io/role';
const EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

export const nodeKind: KindDefinition = defineKind<Node>({
  kind: 'Node',
  resource: 'nodes',
  singular: 'node',
  shortNames: ['no'],
  namespaced: false,
  storagePrefix: 'minions',
  versions: [{ group: '', version: 'v1' }],
  message: 'core.v1.Node',
  nameCheck: isDnsSubdomain,
  hasGeneration: false,
  hasStatus: true,
  selectableFields: { 'spec.unschedulable': 'false' },
  columns: [
    nameColumn,
    { name: 'Status', description: 'The status of the node', cell: nodeStatus },
    { name: 'Roles', description: 'The roles of the node', cell: nodeRoles },
    ageColumn,
    {
      name: 'Version',
      description: 'Kubelet Version reported by the node.',
      cell: (node) => node.status?.nodeInfo?.kubeletVersion ?? '',
    },
    {
      name: 'Internal-IP',
      priority: 1,
      description: 'Address inside the cluster.',
      cell: (node) => orNone(nodeAddress(node, 'InternalIP')),
    },
    {
      name: 'External-IP',
      priority: 1,
      description: 'Address outside the cluster.',
      cell: (node) => orNone(nodeAddress(node, 'ExternalIP')),
    },
    {
      name: 'OS-Image',
      priority: 1,
      description: 'OS Image reported by the node.',
      cell: (node) => orUnknown(node.status?.nodeInfo?.osImage),
    },
    {
      name: 'Kernel-Version',
      priority: 1,
      description: 'Kernel Version reported by the node.',
      cell: (node) => orUnknown(node.status?.nodeInfo?.kernelVersion),
    },
    {
      name: 'Container-Runtime',
      priority: 1,
      description: 'ContainerRuntime Version reported by the node.',
      cell: (node) => orUnknown(node.status?.nodeInfo?.containerRuntimeVersion),
    },
  ],
  validate(node, { errors }) {
    const seen = new Set<string>();
    for (const [index, taint] of (node.spec.taints ?? []).entries()) {
      const at = `spec.taints[${index}]`;
      errors.invalidAll(`${at}.key`, taint.key ?? '', isQualifiedName(taint.key ?? ''));
      errors.invalidAll(`${at}.value`, taint.value, isLabelValue(taint.value ?? ''));
      const effect: string = taint.effect ?? '';
      if (effect === '') errors.required(`${at}.effect`);
      else if (!EFFECTS.includes(effect)) errors.notSupported(`${at}.effect`, effect, EFFECTS);
      const id = `${taint.key}:${taint.effect}`;
      if (seen.has(id)) errors.duplicate(at, taint);
      seen.add(id);
    }
  },
  validateUpdate(node, old, { errors }) {
    if ((old.spec.podCIDR ?? '') !== '' && !equalJson(node.spec.podCIDR, old.spec.podCIDR))
      errors.forbidden(
        'spec.podCIDRs',
        'node updates may not change podCIDR except from "" to valid',
      );
    if ((old.spec.providerID ?? '') !== '' && node.spec.providerID !== old.spec.providerID)
      errors.forbidden(
        'spec.providerID',
        'node updates may not change providerID except from "" to valid',
      );
  },
});

function nodeStatus(node: Node): string {
  const ready = node.status?.conditions?.find((condition) => condition.type === 'Ready');
  const words = [ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady'];
  if (node.spec.unschedulable === true) words.push('SchedulingDisabled');
  return words.join(',');
}

function nodeRoles(node: Node): string {
  const roles = new Set<string>();
  for (const [key, value] of Object.entries(node.metadata.labels ?? {})) {
    if (key.startsWith(ROLE_PREFIX) && key.length > ROLE_PREFIX.length)
      roles.add(key.slice(ROLE_PREFIX.length));
    else if (key === ROLE_LABEL && value !== '') roles.add(value);
  }
  return orNone([...roles].toSorted().join(','));
}

function nodeAddress(node: Node, type: NodeAddress['type']): string | undefined {
  return node.status?.addresses?.find((address) => address.type === type)?.address;
}

function orUnknown(text: string | undefined): string {
  return text === undefined || text === '' ? '<unknown>' : text;
}
