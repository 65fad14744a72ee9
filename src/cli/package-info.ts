import { readFileSync } from 'node:fs';

interface PackageInfo {
  readonly version: string;
  readonly description: string;
  readonly engines: { readonly node: string };
}

/** What package.json says, found from src and from dist alike. */
export function packageInfo(): PackageInfo {
  return JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
  ) as PackageInfo;
}
