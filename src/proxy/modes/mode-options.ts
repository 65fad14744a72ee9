import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import type { ServicePort } from '../../services/routing-table.ts';
import type { KernelBehaviour } from '../ipvs/kernel.ts';
import type { NodeContext } from '../node-context.ts';
import type { IpvsSchedulerSetting } from './ipvs-scheduler-setting.ts';

/** What every mode is made of. */
export interface ModeOptions {
  readonly context: NodeContext;
  readonly clock: Clock;
  readonly random: Random;
  readonly ipvs?: IpvsModeOptions;
}

export interface IpvsModeOptions {
  /** `--ipvs-scheduler`; default rr. */
  readonly scheduler?: IpvsSchedulerSetting;
  /** The kernel to behave like; default the newest known. */
  readonly kernel?: KernelBehaviour;
  /** Which service ports get virtual servers; default all. */
  readonly owns?: (servicePort: ServicePort) => boolean;
}
