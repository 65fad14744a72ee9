import { resourceRecord, type ResourceRecord } from '../message/message.ts';
import { RecordType } from '../message/codes.ts';
import { joinName } from '../message/name.ts';

/** The SOA timers of every backend zone (plugin/backend_lookup.go). */
const REFRESH_SECONDS = 7200;
const RETRY_SECONDS = 1800;
const EXPIRE_SECONDS = 86_400;
const MAX_SOA_TTL_SECONDS = 300;

export interface SoaParameters {
  /** In the letter case of the question. */
  readonly zone: string;
  readonly serial: number;
  readonly minimumSeconds: number;
}

export function soaRecord(parameters: SoaParameters): ResourceRecord {
  const { zone, serial, minimumSeconds } = parameters;
  return resourceRecord(zone, RecordType.SOA, Math.min(minimumSeconds, MAX_SOA_TTL_SECONDS), {
    kind: 'soa',
    mname: joinName('ns.dns', zone),
    rname: joinName('hostmaster', zone),
    serial,
    refreshSeconds: REFRESH_SECONDS,
    retrySeconds: RETRY_SECONDS,
    expireSeconds: EXPIRE_SECONDS,
    minimumSeconds,
  });
}
