import type { Random } from '../../../src/base/random.ts';
import type { ApiClient } from './api-client.ts';

const WRITERS = 16;
const KEYS_EACH = 25;
const PATH = '/api/v1/namespaces/default/configmaps';

/** ConfigMaps that come, change and go. */
export class Churn {
  readonly #random: Random;
  readonly #present = new Set<string>();
  #sequence = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Makes exactly so many changes; every one must be accepted. */
  async run(api: ApiClient, changes: number): Promise<void> {
    let left = changes;
    const write = async (writer: number): Promise<void> => {
      for (; left > 0; ) {
        left -= 1;
        await this.#change(api, `w${writer}-${this.#random.below(KEYS_EACH)}`);
      }
    };
    await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)));
  }

  async #change(api: ApiClient, name: string): Promise<void> {
    this.#sequence += 1;
    const object = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name },
      data: { number: String(this.#sequence) },
    };
    const isThere = this.#present.has(name);
    const goes = isThere && this.#random.below(4) === 0;
    if (goes) this.#present.delete(name);
    else this.#present.add(name);
    const answer = goes
      ? api.ask('DELETE', `${PATH}/${name}`)
      : isThere
        ? api.ask('PUT', `${PATH}/${name}`, object)
        : api.ask('POST', PATH, object);
    const { code, body } = await answer;
    if (code >= 300) throw new Error(`${name}: ${code} ${body.message}`);
  }
}
