import { readFileSync } from 'node:fs';
import { errorCode, errorMessage } from '../../../base/errors.ts';
import { openRing } from './ring.ts';
import type { Linux } from '../../../base/linux/system-calls.ts';

/** kernel.io_uring_disabled since Linux 6.6, see Documentation/admin-guide/sysctl/kernel.rst. */
const SWITCH = '/proc/sys/kernel/io_uring_disabled';
const SWITCHED_OFF: Readonly<Record<string, string>> = {
  '1': 'kernel.io_uring_disabled=1 keeps it for processes of kernel.io_uring_group',
  '2': 'kernel.io_uring_disabled=2 switches it off',
};
const MEANING: Readonly<Record<string, string>> = {
  ENOSYS: 'the kernel, or what filters its calls, does not know it (ENOSYS)',
  EPERM: 'it is not permitted (EPERM), as under the seccomp profile of most containers',
  ENOMEM: 'there is too little memory that may be locked (ENOMEM, see ulimit -l)',
};

/** Why this process cannot have an io_uring. Undefined: it can. Makes one to find out. */
export function ringRefusal(linux: Linux): string | undefined {
  try {
    const { fd, params } = openRing(linux);
    linux.calls.close(fd);
    params.unmap();
    return undefined;
  } catch (error) {
    const code = errorCode(error) ?? '';
    return (code === 'EPERM' ? switchedOff() : undefined) ?? MEANING[code] ?? errorMessage(error);
  }
}

function switchedOff(): string | undefined {
  try {
    return SWITCHED_OFF[readFileSync(SWITCH, 'utf8').trim()];
  } catch {
    // Older kernels have no such switch.
    return undefined;
  }
}
