import { errorMessage } from '../errors.ts';
import { EFD_CLOEXEC, EPOLL_CLOEXEC } from './abi.ts';
import { type Linux, loadLinux, type SystemCalls, systemError } from './system-calls.ts';

export type LinuxProbe =
  | { readonly kind: 'works'; readonly linux: Linux }
  | { readonly kind: 'refused'; readonly reason: string };

/** The architectures whose ABI abi.ts describes. */
const ARCHITECTURES: readonly string[] = ['x64', 'arm64'];

/** Whether this process can make the system calls of this folder: tries those that a sandbox might refuse. */
export function probeLinux(): LinuxProbe {
  if (process.platform !== 'linux') return refused(`it needs Linux, this is ${process.platform}`);
  if (!ARCHITECTURES.includes(process.arch))
    return refused(`it needs x64 or arm64, this is ${process.arch}`);
  try {
    const linux = loadLinux();
    const { calls } = linux;
    tryDescriptor(calls, 'epoll_create1', () => calls.epoll_create1(EPOLL_CLOEXEC));
    tryDescriptor(calls, 'eventfd', () => calls.eventfd(0, EFD_CLOEXEC));
    return { kind: 'works', linux };
  } catch (error) {
    return refused(firstLine(errorMessage(error)));
  }
}

function tryDescriptor(calls: SystemCalls, name: string, open: () => number): void {
  const fd = open();
  if (fd === -1) throw systemError(calls, name);
  calls.close(fd);
}

function refused(reason: string): LinuxProbe {
  return { kind: 'refused', reason };
}

/** A module that is not found lists everybody who asked for it. */
function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? text;
}
