import { join } from 'node:path';
import { PodwireError } from '../../base/errors.ts';
import type { BuiltinImage } from './image.ts';

const DEFAULT_CONF = 'Corefile';

/** CoreDNS: serves the cluster's names from the Corefile its volume holds (`-conf FILE`). */
export const coredns: BuiltinImage = {
  summary: 'cluster DNS on 53 (UDP and TCP) from the Corefile named by -conf',
  start(spec, services) {
    if (services.startDns === undefined)
      throw new PodwireError('ImageUnavailable', 'this node has no cluster data to serve DNS from');
    const flag = spec.args.indexOf('-conf');
    const conf = (flag === -1 ? undefined : spec.args[flag + 1]) ?? DEFAULT_CONF;
    return services.startDns(spec, join(spec.workingDir ?? '.', conf));
  },
};
