import { describe, expect, test } from 'vitest';
import { formatFault, parseFault, parseFaults } from '../../../src/dns/faults/fault-text.ts';

describe('a fault as it is typed', () => {
  test.each([
    'drop',
    'drop type=AAAA',
    'delay=1500ms name=web.default.svc.cluster.local',
    'rcode=SERVFAIL client=127.244.0.0/16',
    'empty fraction=0.25',
    'truncate count=3',
    'unsynced',
    'stale name=svc.cluster.local type=SRV',
    'upstream=NXDOMAIN',
    'upstream=timeout client=192.0.2.1',
  ])('%s reads as it is written', (text) => {
    expect(formatFault(parseFault(text.split(' ')))).toBe(text);
  });

  test('seconds are milliseconds', () => {
    expect(formatFault(parseFault(['delay=0.5s']))).toBe('delay=500ms');
  });

  test('a file has one a line, and comments', () => {
    const faults = parseFaults('# Friday\ndrop type=AAAA\n\n  stale   name=a.org # for ever\n');
    expect(faults.map(formatFault)).toEqual(['drop type=AAAA', 'stale name=a.org']);
  });

  test.each([
    ['', "'' is no fault; expected one of drop, delay=500ms"],
    ['drop=1', "drop takes no value, but '1' is given"],
    ['delay', "delay ''; expected a duration up to 60s, such as 500ms"],
    ['delay=90s', "delay '90s'; expected a duration up to 60s"],
    ['rcode=WAT', "'WAT' is not a response code such as SERVFAIL"],
    ['drop type=WAT', "type 'WAT'; expected a record type such as AAAA"],
    ['drop client=me', "client 'me' is not an address or a CIDR"],
    ['drop fraction=0', "fraction '0'; expected a number above 0 and up to 1"],
    ['drop count=1.5', "count '1.5'; expected a whole number from 1"],
    ['drop often', "'often' is no condition; expected one of name=, type="],
  ])('%s is refused', (text, problem) => {
    expect(() => parseFault(text.split(' '))).toThrow(problem);
  });
});
