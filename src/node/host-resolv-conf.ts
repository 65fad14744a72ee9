import { readFile } from 'node:fs/promises';
import { errorCode } from '../base/errors.ts';
import { parseResolvConf, type ResolvConf } from '../dns/resolv-conf/resolv-conf.ts';

const FILE = '/etc/resolv.conf';

/** How this machine resolves names; empty where it has no such file. */
export async function hostResolvConf(): Promise<ResolvConf> {
  try {
    return parseResolvConf(await readFile(FILE, 'utf8'));
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return parseResolvConf('');
    throw error;
  }
}
