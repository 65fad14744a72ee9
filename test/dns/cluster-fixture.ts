import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ManualClock } from '../../src/base/clock.ts';
import { rcodeName, typeCode } from '../../src/dns/message/codes.ts';
import { queryFor, type DnsMessage, type ResourceRecord } from '../../src/dns/message/message.ts';
import { formatRecord } from '../../src/dns/message/record-text.ts';
import type { Peer } from '../../src/dns/plugin/plugin.ts';
import type { DnsServer } from '../../src/dns/server/dns-server.ts';
import { MemoryDnsSource } from '../../src/dns/source/memory-source.ts';
import { readManifest } from '../../src/dns/source/read-manifests.ts';

export const CLUSTER_MANIFEST: string = join(import.meta.dirname, 'fixtures/cluster.yaml');

/** 2026-01-01T00:00:00Z, when the test cluster's objects came into being: the SOA serial. */
export const SERIAL = 1_767_225_600;

/** The objects of fixtures/cluster.yaml. */
export function clusterSource(): MemoryDnsSource {
  const source = new MemoryDnsSource();
  const problems = readManifest(source, readFileSync(CLUSTER_MANIFEST, 'utf8'), 'cluster.yaml');
  if (problems.length > 0) throw new Error(JSON.stringify(problems));
  return source;
}

export function testClock(): ManualClock {
  return new ManualClock({ wallStartMs: SERIAL * 1000 });
}

export const TEST_PEER: Peer = {
  address: '10.240.0.1',
  port: 40_000,
  family: 'IPv4',
  protocol: 'udp',
};

/** What a reply says, in words that are easy to compare. */
export interface Said {
  readonly rcode: string;
  readonly flags: string;
  readonly answers: string[];
  readonly authorities: string[];
  readonly additionals: string[];
}

export function said(reply: DnsMessage | undefined): Said | undefined {
  if (reply === undefined) return undefined;
  const flags = [
    reply.authoritative ? 'aa' : [],
    reply.truncated ? 'tc' : [],
    reply.recursionAvailable ? 'ra' : [],
  ].flat();
  const lines = (records: readonly ResourceRecord[]): string[] => records.map(formatRecord);
  return {
    rcode: rcodeName(reply.rcode),
    flags: flags.join(' '),
    answers: lines(reply.answers),
    authorities: lines(reply.authorities),
    additionals: lines(reply.additionals),
  };
}

/** Asks inside the process. */
export async function askInside(
  server: DnsServer,
  name: string,
  type = 'A',
  parts: Partial<DnsMessage> = {},
  peer: Partial<Peer> = {},
): Promise<Said | undefined> {
  const message = queryFor({ name, type: typeCode(type) ?? 0 }, parts);
  const { reply } = await server.trace(message, { ...TEST_PEER, ...peer });
  return said(reply);
}
