import { cpus, release, totalmem, type } from 'node:os';
import type { MachineInfo } from '../report/result.ts';

/** What figures in real time depend on. */
export function machineInfo(peers: ReadonlyMap<string, string>): MachineInfo {
  const cores = cpus();
  return {
    cpu: cores[0]?.model.trim() ?? 'unknown processor',
    cores: cores.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
    node: process.versions.node,
    peers: Object.fromEntries(peers),
  };
}
