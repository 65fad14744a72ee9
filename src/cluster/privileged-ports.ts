import { readFileSync } from 'node:fs';

/** The first port this process may bind: 0 for root, else what Linux is set to (default 1024). */
export function firstUnprivilegedPort(): number {
  if (process.geteuid?.() === 0) return 0;
  try {
    return Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'));
  } catch {
    // Not Linux: macOS lets anyone bind any port on loopback addresses, others do as Linux does.
    return process.platform === 'darwin' ? 0 : 1024;
  }
}
