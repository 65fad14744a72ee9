import type { BackendRecord } from '../../backend/backend.ts';
import { parseIp } from '../../../base/ip.ts';
import { RecordType } from '../../message/codes.ts';
import {
  addressRecord,
  nameRecord,
  resourceRecord,
  type ResourceRecord,
} from '../../message/message.ts';
import { fullyQualified, joinName } from '../../message/name.ts';
import type { ExternalService, ExternalSource } from '../../plugin/setup.ts';

interface ExternalZone {
  readonly zone: string;
  readonly ttlSeconds: number;
  readonly headless: boolean;
}

/** All Services of an external zone (plugin/k8s_external/transfer.go): addresses, then SRV on the bare name and for each port. */
export function transferredServices(source: ExternalSource, zone: ExternalZone): ResourceRecord[] {
  const { headless } = zone;
  return source.services({ headless }).flatMap((service) => serviceRecords(source, service, zone));
}

function serviceRecords(
  source: ExternalSource,
  { labels, ports }: ExternalService,
  { zone, ttlSeconds, headless }: ExternalZone,
): ResourceRecord[] {
  const find = (names: readonly string[]): readonly BackendRecord[] =>
    source.find(names, zone, { headless }) ?? [];
  const base = joinName(labels.join('.'), zone);
  const found = find(labels);
  const records = [
    ...unique(found, ({ host }) => host).map(({ host }) => hostRecord(base, ttlSeconds, host)),
    ...unique(
      found.filter(({ name }) => name !== base),
      ({ name, host }) => `${name} ${host}`,
    ).map(({ name, host }) => hostRecord(name, ttlSeconds, host)),
    ...srvRecords(base, ttlSeconds, found),
  ];
  return [
    ...records,
    ...ports.flatMap((port) => {
      const names = [...port, ...labels];
      return srvRecords(joinName(names.join('.'), zone), ttlSeconds, find(names));
    }),
  ];
}

function hostRecord(name: string, ttlSeconds: number, host: string): ResourceRecord {
  return parseIp(host) === undefined
    ? nameRecord(name, RecordType.CNAME, ttlSeconds, fullyQualified(host))
    : addressRecord(name, ttlSeconds, host);
}

function srvRecords(
  owner: string,
  ttlSeconds: number,
  found: readonly BackendRecord[],
): ResourceRecord[] {
  const targets = found
    .filter(({ port }) => port !== -1)
    .map(({ host, name, port }) => ({
      target: parseIp(host) === undefined ? fullyQualified(host) : name,
      port,
    }));
  return unique(targets, ({ target, port }) => `${target} ${port}`).map((entry) =>
    resourceRecord(owner, RecordType.SRV, ttlSeconds, {
      kind: 'srv',
      priority: 0,
      weight: 100,
      ...entry,
    }),
  );
}

function unique<T>(items: readonly T[], keyOf: (item: T) => string): T[] {
  return [...new Map(items.map((item) => [keyOf(item), item])).values()];
}
