// Every proxy mode on every engine that works here.
import { describe, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { errorCode, errorMessage } from '../../src/base/errors.ts';
import { createEngine, ENGINE_CHOICES } from '../../src/proxy/engine/create-engine.ts';
import type { ProxyModeName } from '../../src/proxy/proxy-mode.ts';
import { type ModeTraits, proxyConformance } from '../conformance/proxy.ts';

const MODES: readonly [ProxyModeName, ModeTraits][] = [
  ['iptables', { relays: false, localhostNodePorts: true, withoutLocal: 'silence' }],
  ['nftables', { relays: false, localhostNodePorts: false, withoutLocal: 'silence' }],
  ['ipvs', { relays: false, localhostNodePorts: false, withoutLocal: 'ECONNRESET' }],
  ['userspace', { relays: true, localhostNodePorts: true, withoutLocal: '127.244.200.10' }],
];

/** Why an engine does not work here; undefined when it does. */
async function refusal(choice: (typeof ENGINE_CHOICES)[number]): Promise<string | undefined> {
  try {
    await createEngine({ choice, clock: systemClock })[Symbol.asyncDispose]();
    return undefined;
  } catch (error) {
    if (errorCode(error) !== 'ENGINE_UNAVAILABLE') throw error;
    return errorMessage(error);
  }
}

for (const engine of ENGINE_CHOICES) {
  if (engine === 'auto') continue;
  const reason = await refusal(engine);
  if (reason === undefined)
    for (const [mode, traits] of MODES) proxyConformance({ mode, engine }, traits);
  else describe(`engine ${engine}`, () => test.skip(reason, () => {}));
}
