import type { OpenDatagramPort } from '../../src/overlay/datagram-port.ts';
import { openLinuxDatagramPort } from '../../src/overlay/linux/linux-datagram-port.ts';
import { openNodeDatagramPort } from '../../src/overlay/node-datagram-port.ts';
import { linuxDatagrams } from '../../src/overlay/open-datagram-port.ts';

const probe = linuxDatagrams();

/** Everything that carries the overlay's UDP on this machine. */
export const datagramPorts: readonly { readonly name: string; readonly open: OpenDatagramPort }[] =
  [
    { name: 'node:dgram', open: openNodeDatagramPort },
    ...(probe.kind === 'works'
      ? [
          {
            name: 'system calls',
            open: async (options: Parameters<OpenDatagramPort>[0]) =>
              openLinuxDatagramPort(probe.linux, options),
          },
        ]
      : []),
  ];
