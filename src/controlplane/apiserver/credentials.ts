import {
  createHash,
  createPrivateKey,
  randomBytes,
  timingSafeEqual,
  X509Certificate,
} from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isJsonObject } from '../../api/json.ts';
import { errorCode, PodwireError } from '../../base/errors.ts';
import {
  createAuthority,
  createServerCertificate,
  keyPem,
  type KeyAndCertificate,
} from './certificates.ts';

/** What proves client and server to each other. */
export interface Credentials {
  /** PEM of the authority that clients trust. */
  readonly caCertificate: string;
  readonly serverKey: string;
  readonly serverCertificate: string;
  /** The bearer token of the one user, who may do everything. */
  readonly token: string;
}

const CA_NAME = 'podwire';
const CA_DAYS = 3650;
const SERVER_DAYS = 365;
const DAY_MS = 86_400_000;
/** Clocks differ a little. */
const BACKDATE_MS = 3_600_000;
const FILE = 'credentials.json';
const PRIVATE = 0o600;

interface Kept {
  readonly caKey: string;
  readonly caCertificate: string;
  readonly token: string;
}

/**
 * The authority and token kept in `directory`, made at the first start; a server certificate for `names`, made
 * at every start. Without a directory nothing is kept.
 */
export async function loadCredentials(options: {
  readonly directory: string | undefined;
  readonly names: readonly string[];
  readonly nowMs: number;
}): Promise<Credentials> {
  const { directory, names, nowMs } = options;
  const kept =
    (directory === undefined ? undefined : await readKept(directory, nowMs)) ??
    (await makeKept(directory, nowMs));
  const authority: KeyAndCertificate = {
    key: createPrivateKey(kept.caKey),
    certificate: kept.caCertificate,
    commonName: CA_NAME,
  };
  const server = createServerCertificate(authority, {
    commonName: 'kube-apiserver',
    names,
    ...validity(nowMs, SERVER_DAYS),
  });
  return {
    caCertificate: kept.caCertificate,
    serverKey: keyPem(server.key),
    serverCertificate: server.certificate,
    token: kept.token,
  };
}

/** Compares in constant time, whatever the lengths. */
export function sameToken(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

async function readKept(directory: string, nowMs: number): Promise<Kept | undefined> {
  const path = join(directory, FILE);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  const value = parse(text);
  if (value === undefined)
    throw new PodwireError(
      'bad-credentials',
      `${path} is damaged: delete it, and a new authority and token are made`,
    );
  const expires = Date.parse(new X509Certificate(value.caCertificate).validTo);
  return expires < nowMs + SERVER_DAYS * DAY_MS ? undefined : value;
}

function parse(text: string): Kept | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (!isJsonObject(value)) return undefined;
    const { caKey, caCertificate, token } = value;
    return typeof caKey === 'string' &&
      typeof caCertificate === 'string' &&
      typeof token === 'string'
      ? { caKey, caCertificate, token }
      : undefined;
  } catch {
    return undefined;
  }
}

async function makeKept(directory: string | undefined, nowMs: number): Promise<Kept> {
  const authority = createAuthority({ commonName: CA_NAME, ...validity(nowMs, CA_DAYS) });
  const kept: Kept = {
    caKey: keyPem(authority.key),
    caCertificate: authority.certificate,
    token: randomBytes(32).toString('base64url'),
  };
  if (directory !== undefined)
    await writePrivate(join(directory, FILE), `${JSON.stringify(kept, undefined, 2)}\n`, directory);
  return kept;
}

/** Whole or not at all, and never readable by others. */
export async function writePrivate(path: string, text: string, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  await writeFile(temporary, text, { mode: PRIVATE });
  await rename(temporary, path);
}

function validity(
  nowMs: number,
  days: number,
): { readonly notBefore: Date; readonly notAfter: Date } {
  return {
    notBefore: new Date(nowMs - BACKDATE_MS),
    notAfter: new Date(nowMs + days * DAY_MS),
  };
}
