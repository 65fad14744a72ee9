import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { probeLinux } from '../../src/base/linux/probe.ts';

const SCRIPT = join(import.meta.dirname, 'processes/without-io-uring.ts');

test.skipIf(probeLinux().kind === 'refused').each([
  ['EPERM', 1, 'it is not permitted (EPERM)'],
  ['ENOSYS', 38, 'does not know it (ENOSYS)'],
  ['ENOMEM', 12, 'too little memory that may be locked (ENOMEM'],
])(
  'where io_uring_setup fails with %s, epoll does the work and one line says so',
  (_, errno, why) => {
    const output = execFileSync(process.execPath, ['--import', 'tsx', SCRIPT, String(errno)]);
    expect(JSON.parse(output.toString())).toEqual({
      engine: 'epoll',
      echo: 'through',
      complaints: [expect.stringContaining(why)],
    });
  },
);
