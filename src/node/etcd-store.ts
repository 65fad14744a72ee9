import { Etcd3, type IKeyValue, type IOptions } from 'etcd3';
import type { Clock } from '../base/clock.ts';
import type {
  KeyValue,
  KeyValueAddress,
  KeyValueCall,
  KeyValueWriter,
} from '../dns/plugin/key-value.ts';

/** A real etcd (v3 API). Owns the client; nothing is dialled before the first call. */
export function connectEtcdStore(address: KeyValueAddress, clock: Clock): KeyValueWriter {
  return new EtcdStore(new Etcd3(optionsFor(address)), clock);
}

class EtcdStore implements KeyValueWriter {
  readonly #client: Etcd3;
  readonly #clock: Clock;

  constructor(client: Etcd3, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  async list(prefix: string, call: KeyValueCall): Promise<readonly KeyValue[]> {
    const { kvs } = await this.#client
      .getAll()
      .prefix(prefix)
      .sort('Key', 'Ascend')
      .options(this.#deadline(call))
      .exec();
    return Promise.all(kvs.map((entry) => this.#keyValue(entry, call)));
  }

  async get(key: string, call: KeyValueCall): Promise<KeyValue | undefined> {
    const { kvs } = await this.#client.get(key).options(this.#deadline(call)).exec();
    const [entry] = kvs;
    return entry === undefined ? undefined : this.#keyValue(entry, call);
  }

  async put(key: string, value: string, call: KeyValueCall): Promise<void> {
    await this.#client.put(key).value(value).options(this.#deadline(call)).exec();
  }

  async delete(key: string, call: KeyValueCall): Promise<void> {
    await this.#client.delete().key(key).options(this.#deadline(call)).exec();
  }

  close(): Promise<void> {
    this.#client.close();
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #keyValue(entry: IKeyValue, call: KeyValueCall): Promise<KeyValue> {
    const { key, value, lease } = entry;
    const text = { key: key.toString('utf8'), value: value.toString('utf8') };
    if (lease === '0') return { ...text, leaseSeconds: 0 };
    const { TTL } = await this.#client.leaseClient.leaseTimeToLive(
      { ID: lease, keys: false },
      this.#deadline(call),
    );
    return { ...text, leaseSeconds: Math.max(0, Number(TTL)) };
  }

  #deadline({ timeoutMs }: KeyValueCall): { deadline: number } {
    return { deadline: this.#clock.wallNow() + timeoutMs };
  }
}

function optionsFor({ endpoints, credentials, tls }: KeyValueAddress): IOptions {
  return {
    hosts: [...endpoints],
    ...(credentials === undefined ? {} : { auth: credentials }),
    ...(tls?.ca === undefined
      ? {}
      : {
          credentials: {
            rootCertificate: Buffer.from(tls.ca),
            ...(tls.key === undefined ? {} : { privateKey: Buffer.from(tls.key) }),
            ...(tls.cert === undefined ? {} : { certChain: Buffer.from(tls.cert) }),
          },
        }),
  };
}
