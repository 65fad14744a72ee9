import { createHash } from 'node:crypto';
import type { Random } from '../../../src/base/random.ts';
import type { ApiAnswer } from './api-client.ts';
import type { RunningApiServer } from './api-process.ts';

const WRITERS = 12;
const KEYS_EACH = 8;
const PATH = '/api/v1/namespaces/default/configmaps';

/** What an object must be: its number, or absent. */
type State = number | undefined;

interface Entry {
  /** As the server acknowledged it. */
  acknowledged: State;
  /** Sent, and not answered: it may have happened or not. */
  inFlight: { readonly state: State } | undefined;
}

/**
 * Writers that create, replace and delete ConfigMaps as fast as they can until the server dies, each with keys of
 * its own, and what must be there afterwards.
 */
export class WriteBurst {
  readonly #random: Random;
  readonly #entries = new Map<string, Entry>();
  #sequence = 0;
  /** Of all rounds. */
  acknowledged = 0;
  /** The newest resourceVersion that was acknowledged. */
  newestVersion = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /**
   * Writes until `afterWrites` more are acknowledged, then calls `stop` and waits for what is in flight: it fails,
   * or is answered all the same, as when it was only etcd that was stopped.
   */
  async run(server: RunningApiServer, afterWrites: number, stop: () => void): Promise<void> {
    const goal = this.acknowledged + afterWrites;
    let isStopped = false;
    const goesOn = (): boolean => {
      if (this.acknowledged < goal) return true;
      if (!isStopped) stop();
      isStopped = true;
      return false;
    };
    const writers = Array.from({ length: WRITERS }, (_, writer) =>
      this.#write(server, writer, goesOn),
    );
    await Promise.all(writers);
  }

  /** Compares with what the server has; what was in flight is known afterwards. */
  async check(server: RunningApiServer): Promise<void> {
    const { body } = await server.api.ask('GET', PATH);
    const items = (body.items ?? []) as {
      metadata: { name: string };
      data: { number: string; text: string; sum: string };
    }[];
    const found = new Map<string, number>();
    for (const { metadata, data } of items) {
      if (data.sum !== sumOf(data.number + data.text))
        throw new Error(`${metadata.name} is half written`);
      found.set(metadata.name, Number(data.number));
    }
    for (const [name, entry] of this.#entries) {
      const actual = found.get(name);
      found.delete(name);
      const expected = [entry.acknowledged, ...(entry.inFlight ? [entry.inFlight.state] : [])];
      if (!expected.includes(actual))
        throw new Error(`${name} is ${actual}; acknowledged or in flight: ${expected.join(', ')}`);
      entry.acknowledged = actual;
      entry.inFlight = undefined;
    }
    if (found.size > 0) throw new Error(`never written: ${[...found.keys()].join(', ')}`);
  }

  async #write(server: RunningApiServer, writer: number, goesOn: () => boolean): Promise<void> {
    const random = this.#random.fork(`${writer} ${this.#sequence}`);
    do {
      const name = `w${writer}-${random.below(KEYS_EACH)}`;
      const entry = this.#entry(name);
      const state =
        entry.acknowledged !== undefined && random.below(4) === 0 ? undefined : this.#next();
      entry.inFlight = { state };
      const answer = await this.#send(server, name, entry.acknowledged, state, random).catch(
        () => undefined,
      );
      // The connection is gone, or the server does not know itself.
      if (answer === undefined || answer.code >= 500) return;
      if (answer.code >= 300) throw new Error(`${name}: ${answer.code} ${answer.body.message}`);
      entry.acknowledged = state;
      entry.inFlight = undefined;
      this.acknowledged += 1;
      const version = Number(answer.body.metadata?.resourceVersion ?? 0);
      this.newestVersion = Math.max(this.newestVersion, version);
    } while (goesOn());
  }

  #send(
    server: RunningApiServer,
    name: string,
    before: State,
    state: State,
    random: Random,
  ): Promise<ApiAnswer> {
    if (state === undefined) return server.api.ask('DELETE', `${PATH}/${name}`);
    const text = 'x'.repeat(random.below(random.below(20) === 0 ? 200_000 : 2000));
    const object = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name },
      data: { number: String(state), text, sum: sumOf(String(state) + text) },
    };
    return before === undefined
      ? server.api.ask('POST', PATH, object)
      : server.api.ask('PUT', `${PATH}/${name}`, object);
  }

  #next(): number {
    this.#sequence += 1;
    return this.#sequence;
  }

  #entry(name: string): Entry {
    let entry = this.#entries.get(name);
    if (entry === undefined) {
      entry = { acknowledged: undefined, inFlight: undefined };
      this.#entries.set(name, entry);
    }
    return entry;
  }
}

function sumOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
