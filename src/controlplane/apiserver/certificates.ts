import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { isIPv4 } from 'node:net';
import {
  bitString,
  boolean,
  contextTag,
  integer,
  octetString,
  oid,
  sequence,
  set,
  time,
  utf8,
} from './der.ts';

/**
 * X.509 v3 certificates (RFC 5280) with ECDSA P-256, written here: the two shapes podwire needs are a page of
 * DER, and a certificate library would be the largest dependency of the package.
 */
export interface KeyAndCertificate {
  readonly key: KeyObject;
  /** PEM. */
  readonly certificate: string;
  readonly commonName: string;
}

export interface CertificateOptions {
  readonly commonName: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

const OID = {
  commonName: '2.5.4.3',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  basicConstraints: '2.5.29.19',
  keyUsage: '2.5.29.15',
  extendedKeyUsage: '2.5.29.37',
  subjectAltName: '2.5.29.17',
  serverAuth: '1.3.6.1.5.5.7.3.1',
} as const;

const SERIAL_BYTES = 16;

/** A certificate authority that signs itself. */
export function createAuthority(options: CertificateOptions): KeyAndCertificate {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const extensions = [
    extension(OID.basicConstraints, sequence(boolean(true)), true),
    // keyCertSign, cRLSign and digitalSignature.
    extension(OID.keyUsage, bitString(Buffer.of(0b1000_0110), 1), true),
  ];
  return {
    key: keys.privateKey,
    commonName: options.commonName,
    certificate: certificate(
      options,
      keys.publicKey,
      options.commonName,
      keys.privateKey,
      extensions,
    ),
  };
}

/** A server certificate for these DNS names and IPv4 addresses. */
export function createServerCertificate(
  authority: KeyAndCertificate,
  options: CertificateOptions & { readonly names: readonly string[] },
): KeyAndCertificate {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const names = options.names.map((host) =>
    isIPv4(host)
      ? contextTag(7, Buffer.from(host.split('.').map(Number)), 'primitive')
      : contextTag(2, Buffer.from(host), 'primitive'),
  );
  const extensions = [
    extension(OID.basicConstraints, sequence(), true),
    extension(OID.keyUsage, bitString(Buffer.of(0b1000_0000), 7), true),
    extension(OID.extendedKeyUsage, sequence(oid(OID.serverAuth)), false),
    extension(OID.subjectAltName, sequence(...names), false),
  ];
  return {
    key: keys.privateKey,
    commonName: options.commonName,
    certificate: certificate(
      options,
      keys.publicKey,
      authority.commonName,
      authority.key,
      extensions,
    ),
  };
}

/** PKCS #8 PEM. */
export function keyPem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function certificate(
  options: CertificateOptions,
  publicKey: KeyObject,
  issuer: string,
  issuerKey: KeyObject,
  extensions: readonly Buffer[],
): string {
  const algorithm = sequence(oid(OID.ecdsaWithSha256));
  const serial = randomBytes(SERIAL_BYTES);
  const toBeSigned = sequence(
    contextTag(0, integer(Buffer.of(2)), 'constructed'),
    integer(Buffer.concat([Buffer.of(1), serial])),
    algorithm,
    name(issuer),
    sequence(time(options.notBefore), time(options.notAfter)),
    name(options.commonName),
    publicKey.export({ type: 'spki', format: 'der' }),
    contextTag(3, sequence(...extensions), 'constructed'),
  );
  const signature = sign('sha256', toBeSigned, issuerKey);
  return pem(sequence(toBeSigned, algorithm, bitString(signature)));
}

function name(commonName: string): Buffer {
  return sequence(set(sequence(oid(OID.commonName), utf8(commonName))));
}

function extension(id: string, value: Buffer, critical: boolean): Buffer {
  return sequence(oid(id), ...(critical ? [boolean(true)] : []), octetString(value));
}

function pem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}
