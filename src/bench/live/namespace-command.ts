/**
 * A command line that runs `command` in a network namespace that goes when its last process ends, with
 * loopback up. Without root, in a user namespace where we are root.
 */
export function inNewNamespace(command: readonly string[]): string[] {
  const user = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  const script = 'ip link set lo up && exec "$@"';
  return ['unshare', ...user, '--net', 'sh', '-c', script, 'sh', ...command];
}
