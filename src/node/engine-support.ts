import { probeLinux } from '../proxy/engine/linux/probe.ts';

export { handleEngineRefusal } from '../proxy/engine/create-engine.ts';

/** Undefined: the epoll engine works here. Otherwise why it does not. */
export function epollEngineRefusal(): string | undefined {
  const probe = probeLinux();
  return probe.kind === 'refused' ? probe.reason : undefined;
}
