import { equalJson } from '../json.ts';
import { defineKind, type KindDefinition } from '../kind.ts';
import { isDnsSubdomain } from '../names.ts';
import { nameColumn } from '../table.ts';
import type { Pod, PodSpec, PodStatus, Toleration } from '../types/core.ts';
import { podColumns } from './pod-columns.ts';
import { defaultPod, defaultPodSpec } from './pod-defaults.ts';
import { validatePodSpec } from './pod-validation.ts';

export const podKind: KindDefinition = defineKind<Pod>({
  kind: 'Pod',
  resource: 'pods',
  singular: 'pod',
  shortNames: ['po'],
  categories: ['all'],
  namespaced: true,
  storagePrefix: 'pods',
  versions: [{ group: '', version: 'v1' }],
  message: 'core.v1.Pod',
  nameCheck: isDnsSubdomain,
  hasGeneration: true,
  hasStatus: true,
  selectableFields: {
    'spec.nodeName': '',
    'spec.restartPolicy': '',
    'spec.schedulerName': '',
    'spec.serviceAccountName': '',
    'spec.hostNetwork': 'false',
    'status.phase': '',
    'status.podIP': '',
    'status.nominatedNodeName': '',
  },
  columns: [nameColumn, ...podColumns],
  rowConditions(pod) {
    const phase = pod.status?.phase;
    if (phase !== 'Succeeded' && phase !== 'Failed') return [];
    return [
      {
        type: 'Completed',
        status: 'True',
        reason: phase,
        message: phase === 'Succeeded' ? 'The pod has completed successfully.' : 'The pod failed.',
      },
    ];
  },
  defaults(pod) {
    defaultPodSpec(pod.spec);
    defaultPod(pod.spec);
  },
  prepareForCreate(pod) {
    pod.status = { phase: 'Pending', qosClass: qosClass(pod.spec) };
    pod.spec.serviceAccountName ??= 'default';
    pod.spec.serviceAccount = pod.spec.serviceAccountName;
    pod.spec.priority ??= 0;
    pod.spec.preemptionPolicy ??= 'PreemptLowerPriority';
  },
  prepareForUpdate(pod, old) {
    // Set by binding only.
    if (old.spec.nodeName !== undefined && (pod.spec.nodeName ?? '') === '')
      pod.spec.nodeName = old.spec.nodeName;
  },
  validate(pod, { errors }) {
    validatePodSpec(pod.spec, 'spec', errors);
  },
  validateUpdate(pod, old, { errors }) {
    if (!equalJson(immutableSpec(pod.spec, old.spec), immutableSpec(old.spec, old.spec)))
      errors.forbidden(
        'spec',
        'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
      );
    if (!keepsTolerations(pod.spec.tolerations ?? [], old.spec.tolerations ?? []))
      errors.forbidden(
        'spec.tolerations',
        'existing toleration can not be modified except its tolerationSeconds',
      );
  },
  gracePeriodSeconds(pod) {
    const { phase } = pod.status ?? {};
    const never = (pod.spec.nodeName ?? '') === '' || phase === 'Succeeded' || phase === 'Failed';
    return never ? 0 : (pod.spec.terminationGracePeriodSeconds ?? 30);
  },
});

/** The spec with everything that may change taken from `like`. */
function immutableSpec(spec: PodSpec, like: PodSpec): PodSpec {
  // An update may have left the containers out; it is refused for that by and by.
  const withImages = (containers: PodSpec['containers'] = [], others: PodSpec['containers'] = []) =>
    containers.map((container, index) => {
      const image = others[index]?.image;
      return image === undefined ? container : { ...container, image };
    });
  const copy: PodSpec = {
    ...spec,
    containers: withImages(spec.containers, like.containers),
  };
  if (spec.initContainers !== undefined)
    copy.initContainers = withImages(spec.initContainers, like.initContainers);
  delete copy.tolerations;
  delete copy.activeDeadlineSeconds;
  delete copy.schedulingGates;
  return copy;
}

function keepsTolerations(next: readonly Toleration[], old: readonly Toleration[]): boolean {
  const withoutSeconds = ({ tolerationSeconds: _seconds, ...rest }: Toleration) => rest;
  return old.every((kept) =>
    next.some((candidate) => equalJson(withoutSeconds(kept), withoutSeconds(candidate))),
  );
}

/** pkg/apis/core/v1/helper/qos: by the CPU and memory of all containers. */
function qosClass(spec: PodSpec): NonNullable<PodStatus['qosClass']> {
  const containers = [...(spec.initContainers ?? []), ...(spec.containers ?? [])];
  const has = (list: Record<string, string> | undefined): boolean =>
    list?.['cpu'] !== undefined || list?.['memory'] !== undefined;
  if (!containers.some(({ resources }) => has(resources?.requests) || has(resources?.limits)))
    return 'BestEffort';
  const guaranteed = containers.every(({ resources }) =>
    ['cpu', 'memory'].every(
      (name) =>
        resources?.limits?.[name] !== undefined &&
        resources.requests?.[name] === resources.limits[name],
    ),
  );
  return guaranteed ? 'Guaranteed' : 'Burstable';
}
