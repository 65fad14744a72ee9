import { matchesLabels, parseLabelSelector } from '../../../api/label-selector.ts';
import { errorMessage } from '../../../base/errors.ts';
import { CorefileError } from '../../corefile/corefile-error.ts';
import type { Directive } from '../../corefile/parse-corefile.ts';
import { isReverseName } from '../../message/name.ts';
import {
  durationArgument,
  expectThat,
  fallthroughArgument,
  integerArgument,
  noArguments,
  oneArgument,
  unknownOption,
  zoneArguments,
} from '../../plugin/setup.ts';
import {
  DEFAULT_STARTUP_TIMEOUT_MS,
  DEFAULT_TTL_SECONDS,
  MAX_TTL_SECONDS,
  type KubernetesOptions,
  type LabelFilter,
  type PodsMode,
} from './options.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const OPTIONS = [
  'endpoint',
  'tls',
  'kubeconfig',
  'apiserver_qps',
  'apiserver_burst',
  'apiserver_max_inflight',
  'namespaces',
  'namespace_labels',
  'labels',
  'pods',
  'endpoint_pod_names',
  'ttl',
  'noendpoints',
  'fallthrough',
  'ignore',
  'multicluster',
  'zonal',
  'startup_timeout',
];

export function parseOptions(
  directive: Directive,
  blockZones: readonly string[],
): KubernetesOptions {
  const zones = zoneArguments(directive.args, blockZones);
  const primaryZone = zones.find((zone) => !isReverseName(zone));
  expectThat(
    primaryZone !== undefined,
    directive.name,
    'plugin/kubernetes: expected at least one zone that is not a reverse zone, e.g. cluster.local',
  );
  const options: Mutable<KubernetesOptions> = {
    zones,
    primaryZone,
    multiclusterZones: [],
    pods: 'disabled',
    endpointPodNames: false,
    ttlSeconds: DEFAULT_TTL_SECONDS,
    endpoints: true,
    ignoreEmptyService: false,
    zonal: false,
    startupTimeoutMs: DEFAULT_STARTUP_TIMEOUT_MS,
  };
  for (const option of directive.block ?? []) applyOption(options, option);
  expectThat(
    options.namespaces === undefined || options.namespaceLabels === undefined,
    directive.name,
    'plugin/kubernetes: namespaces and namespace_labels cannot both be set',
  );
  const stray = options.multiclusterZones.find((zone) => !zones.includes(zone));
  expectThat(
    stray === undefined,
    directive.name,
    `plugin/kubernetes: multicluster zone ${stray} is not among the plugin's zones; add it there too`,
  );
  return options;
}

function applyOption(options: Mutable<KubernetesOptions>, option: Directive): void {
  switch (option.name.text) {
    case 'pods':
      options.pods = podsMode(option);
      break;
    case 'ttl':
      options.ttlSeconds = integerArgument(oneArgument(option, 'seconds'), 'ttl', {
        min: 0,
        max: MAX_TTL_SECONDS,
      });
      break;
    case 'namespaces':
      expectThat(option.args.length > 0, option.name, 'namespaces needs at least one namespace');
      options.namespaces = new Set(option.args.map(({ text }) => text.toLowerCase()));
      break;
    case 'namespace_labels':
      options.namespaceLabels = labelFilter(option);
      break;
    case 'labels':
      options.labels = labelFilter(option);
      break;
    case 'endpoint_pod_names':
      noArguments(option);
      options.endpointPodNames = true;
      break;
    case 'noendpoints':
      noArguments(option);
      options.endpoints = false;
      break;
    case 'zonal':
      noArguments(option);
      options.zonal = true;
      break;
    case 'fallthrough':
      options.fallthrough = fallthroughArgument(option);
      break;
    case 'ignore': {
      const what = oneArgument(option, 'empty_service');
      expectThat(
        what.text === 'empty_service',
        what,
        `ignore '${what.text}'; expected empty_service`,
      );
      options.ignoreEmptyService = true;
      break;
    }
    case 'multicluster':
      options.multiclusterZones = zoneArguments(option.args, []);
      break;
    case 'startup_timeout':
      options.startupTimeoutMs = durationArgument(
        oneArgument(option, 'a duration'),
        'startup_timeout',
      );
      break;
    case 'endpoint':
    case 'tls':
    case 'kubeconfig':
    case 'apiserver_qps':
    case 'apiserver_burst':
    case 'apiserver_max_inflight':
      // How to reach the API is the business of whoever starts the server.
      break;
    default:
      unknownOption('kubernetes', option.name, OPTIONS);
  }
}

function podsMode(option: Directive): PodsMode {
  const mode = oneArgument(option, 'disabled, insecure or verified');
  const { text } = mode;
  if (text === 'disabled' || text === 'insecure' || text === 'verified') return text;
  throw new CorefileError(
    mode,
    `plugin/kubernetes: pods '${text}'; expected disabled, insecure or verified`,
  );
}

function labelFilter(option: Directive): LabelFilter {
  expectThat(option.args.length > 0, option.name, `${option.name.text} needs a label selector`);
  const text = option.args.map((token) => token.text).join(' ');
  try {
    const requirements = parseLabelSelector(text);
    return (labels) => matchesLabels(requirements, labels);
  } catch (error) {
    const problem = `plugin/kubernetes: ${option.name.text} '${text}': ${errorMessage(error)}`;
    throw new CorefileError(option.name, problem, { cause: error });
  }
}
