import { formatCidr } from '../../base/ip.ts';
import type { IpvsSchedulerSetting } from '../modes/ipvs-scheduler-setting.ts';
import type { NodeContext } from '../node-context.ts';
import type { ProxyModeName } from '../proxy-mode.ts';
import { DEFAULT_SYNC_PERIODS, type SyncPeriods } from '../sync-runner.ts';

export interface ConfigzSource {
  readonly nodeName: string;
  readonly mode: ProxyModeName;
  readonly context: NodeContext;
  readonly scheduler: IpvsSchedulerSetting;
  readonly healthzBindAddress: string;
  readonly metricsBindAddress: string;
  readonly periods?: SyncPeriods;
}

/** `/configz`: the KubeProxyConfiguration in force, as far as podwire has such settings. */
export function configz(source: ConfigzSource): unknown {
  const { context, mode } = source;
  const periods = source.periods ?? DEFAULT_SYNC_PERIODS;
  const sync = {
    syncPeriod: goDuration(periods.retryIntervalMs),
    minSyncPeriod: goDuration(periods.minIntervalMs),
  };
  const { nodePortAddresses } = context;
  return {
    'kubeproxy.config.k8s.io': {
      apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
      kind: 'KubeProxyConfiguration',
      mode,
      hostnameOverride: source.nodeName,
      bindAddress: context.nodeIPs[0] ?? '',
      healthzBindAddress: source.healthzBindAddress,
      metricsBindAddress: source.metricsBindAddress,
      clusterCIDR: (context.detectLocal?.cidrs ?? []).map(formatCidr).join(','),
      detectLocalMode: context.detectLocal?.mode ?? '',
      nodePortAddresses: listOf(nodePortAddresses),
      iptables: {
        masqueradeBit: 14,
        masqueradeAll: context.masqueradeAll,
        localhostNodePorts: context.localhostNodePorts,
        ...sync,
      },
      ipvs: { ...sync, scheduler: source.scheduler.scheduler },
      nftables: { masqueradeBit: 14, masqueradeAll: context.masqueradeAll, ...sync },
    },
  };
}

function listOf(setting: NodeContext['nodePortAddresses']): readonly string[] | null {
  if (setting === 'default') return null;
  return setting === 'primary' ? ['primary'] : setting.map(formatCidr);
}

/** As Go prints a duration of whole seconds. */
function goDuration(ms: number): string {
  const seconds = ms / 1000;
  return seconds >= 60 ? `${Math.floor(seconds / 60)}m${seconds % 60}s` : `${seconds}s`;
}
