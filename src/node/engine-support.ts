import { probeLinux } from '../base/linux/probe.ts';
import { linuxDatagrams } from '../overlay/open-datagram-port.ts';
import { ringRefusal } from '../proxy/engine/linux/ring-probe.ts';

export { handleEngineRefusal } from '../proxy/engine/create-engine.ts';

/** Undefined: the epoll engine works here. Otherwise why it does not. */
export function epollEngineRefusal(): string | undefined {
  const probe = probeLinux();
  return probe.kind === 'refused' ? probe.reason : undefined;
}

/** Undefined: the engine `uring` works here. Otherwise why it does not. */
export function uringEngineRefusal(): string | undefined {
  const probe = probeLinux();
  return probe.kind === 'refused' ? probe.reason : ringRefusal(probe.linux);
}

/** Undefined: the overlay sends and receives UDP by system calls here. Otherwise why it does not. */
export function datagramRefusal(): string | undefined {
  const probe = linuxDatagrams();
  return probe.kind === 'refused' ? probe.reason : undefined;
}
