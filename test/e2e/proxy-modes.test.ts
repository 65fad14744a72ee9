// Every proxy mode on every engine that works here.
import { networkInterfaces } from 'node:os';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { errorCode, errorMessage } from '../../src/base/errors.ts';
import {
  createEngine,
  ENGINE_CHOICES,
  type EngineChoice,
} from '../../src/proxy/engine/create-engine.ts';
import type { ProxyModeName } from '../../src/proxy/proxy-mode.ts';
import { type ModeTraits, proxyConformance } from '../conformance/proxy.ts';
import { proxyIpv6Conformance } from '../conformance/proxy-ipv6.ts';

const ENDPOINT_ELSEWHERE = '127.244.200.10';

const MODES: Readonly<Record<ProxyModeName, ModeTraits>> = {
  iptables: {
    relays: false,
    localhostNodePorts: true,
    withoutLocal: 'silence',
    outsiderWithoutLocal: 'silence',
  },
  nftables: {
    relays: false,
    localhostNodePorts: false,
    withoutLocal: 'silence',
    outsiderWithoutLocal: 'silence',
  },
  ipvs: {
    relays: false,
    localhostNodePorts: false,
    withoutLocal: 'ECONNRESET',
    outsiderWithoutLocal: ENDPOINT_ELSEWHERE,
  },
  userspace: {
    relays: true,
    localhostNodePorts: true,
    withoutLocal: ENDPOINT_ELSEWHERE,
    outsiderWithoutLocal: ENDPOINT_ELSEWHERE,
  },
};

const hasIpv6 = Object.values(networkInterfaces()).some((addresses) =>
  addresses?.some(({ address }) => address === '::1'),
);

/** Why an engine does not work here; undefined when it does. */
async function refusal(choice: EngineChoice): Promise<string | undefined> {
  try {
    await createEngine({ choice, clock: systemClock })[Symbol.asyncDispose]();
    return undefined;
  } catch (error) {
    if (errorCode(error) !== 'ENGINE_UNAVAILABLE') throw error;
    return errorMessage(error);
  }
}

const engines = ENGINE_CHOICES.filter((choice) => choice !== 'auto');
const refusals = new Map<EngineChoice, string | undefined>();
for (const engine of engines) refusals.set(engine, await refusal(engine));

describe.each(engines)('engine %s', (engine) => {
  const reason = refusals.get(engine);
  test('works here', ({ skip }) => {
    skip(reason !== undefined, reason);
    expect(reason).toBeUndefined();
  });

  describe.runIf(reason === undefined).each(Object.entries(MODES))('mode %s', (name, traits) => {
    const mode = name as ProxyModeName;
    proxyConformance({ mode, engine }, traits);
    describe.runIf(hasIpv6)('over IPv6', () => {
      proxyIpv6Conformance({ mode, engine }, traits);
    });
  });
});
