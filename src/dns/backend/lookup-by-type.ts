import { RecordType } from '../message/codes.ts';
import type { Backend, BackendQuery, LookupResult } from './backend.ts';
import { existence } from './backend-outcome.ts';
import { lookupWithChase } from './lookup-addresses.ts';
import { lookupCname, lookupMx, lookupPtr, lookupSrv } from './lookup-targets.ts';

/** What a backend has for a type that is the same in every zone; of the others, whether the name exists. */
export function lookupByType(backend: Backend, query: BackendQuery): Promise<LookupResult> {
  switch (query.type) {
    case RecordType.A:
    case RecordType.AAAA:
    case RecordType.TXT:
      return lookupWithChase(backend, query);
    case RecordType.CNAME:
      return lookupCname(backend, query);
    case RecordType.PTR:
      return lookupPtr(backend, query);
    case RecordType.MX:
      return lookupMx(backend, query);
    case RecordType.SRV:
      return lookupSrv(backend, query);
    default:
      return existence(backend, query);
  }
}
