import { AF_INET, EAGAIN, MSG_DONTWAIT, SOCK_CLOEXEC, SOCK_DGRAM } from '../base/linux/abi.ts';
import { type LinuxProbe, probeLinux } from '../base/linux/probe.ts';
import { type Linux, systemError } from '../base/linux/system-calls.ts';
import { errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { OpenDatagramPort } from './datagram-port.ts';
import { openLinuxDatagramPort } from './linux/linux-datagram-port.ts';
import { openNodeDatagramPort } from './node-datagram-port.ts';

/** Asked once a process: nothing of it changes. */
let found: LinuxProbe | undefined;
let isTold = false;

/**
 * System calls where this process can make them, node:dgram elsewhere. Where koffi loads but the calls are refused, by a
 * sandbox, `log` gets a line, once a process; that koffi is not there is nothing special.
 */
export function systemDatagramPorts(log: Logger): OpenDatagramPort {
  const probe = linuxDatagrams();
  if (probe.kind === 'works')
    return (options) => Promise.resolve().then(() => openLinuxDatagramPort(probe.linux, options));
  if (!isTold && probeLinux().kind === 'works')
    log.warn({ reason: probe.reason }, 'the overlay sends and receives by node:dgram');
  isTold = true;
  return openNodeDatagramPort;
}

/** Whether the overlay can use system calls for UDP. */
export function linuxDatagrams(): LinuxProbe {
  found ??= probeDatagrams(probeLinux());
  return found;
}

function probeDatagrams(probe: LinuxProbe): LinuxProbe {
  if (probe.kind === 'refused') return probe;
  const { calls } = probe.linux;
  const fd = calls.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  try {
    if (fd === -1) throw systemError(calls, 'socket');
    tryCalls(probe.linux, fd);
    return probe;
  } catch (error) {
    return { kind: 'refused', reason: errorMessage(error) };
  } finally {
    if (fd !== -1) calls.close(fd);
  }
}

/** With nothing to send, and nothing there to be received. */
function tryCalls(linux: Linux, fd: number): void {
  const { calls } = linux;
  const header = new ArrayBuffer(64);
  const address = linux.addressOf(header);
  if (calls.sendmmsg(fd, address, 0, 0) === -1) throw systemError(calls, 'sendmmsg');
  const received = calls.recvmmsg(fd, address, 1, MSG_DONTWAIT, 0);
  if (received === -1 && calls.errno() !== EAGAIN) throw systemError(calls, 'recvmmsg');
}
