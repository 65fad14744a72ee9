import type { IKeyValue } from 'etcd3';
import type { Clock } from '../base/clock.ts';
import { EtcdClient, type EtcdClientOptions } from '../base/etcd-client.ts';
import type {
  KeyValue,
  KeyValueAddress,
  KeyValueCall,
  KeyValueWriter,
} from '../dns/plugin/key-value.ts';

/** For calls that name no time-out of their own. */
const TIMEOUT_MS = 5000;

/** A real etcd (v3 API). Owns the client; nothing is dialled before the first call. */
export function connectEtcdStore(address: KeyValueAddress, clock: Clock): KeyValueWriter {
  const access = accessOf(address);
  const { endpoints } = address;
  return new EtcdStore(new EtcdClient({ endpoints, clock, timeoutMs: TIMEOUT_MS, access }));
}

class EtcdStore implements KeyValueWriter {
  readonly #client: EtcdClient;

  constructor(client: EtcdClient) {
    this.#client = client;
  }

  async list(prefix: string, call: KeyValueCall): Promise<readonly KeyValue[]> {
    const { kvs } = await this.#client.call(
      (etcd) => etcd.getAll().prefix(prefix).sort('Key', 'Ascend').exec(),
      call.timeoutMs,
    );
    return Promise.all(kvs.map((entry) => this.#keyValue(entry, call)));
  }

  async get(key: string, call: KeyValueCall): Promise<KeyValue | undefined> {
    const { kvs } = await this.#client.call((etcd) => etcd.get(key).exec(), call.timeoutMs);
    const [entry] = kvs;
    return entry === undefined ? undefined : this.#keyValue(entry, call);
  }

  async put(key: string, value: string, { timeoutMs }: KeyValueCall): Promise<void> {
    await this.#client.call((etcd) => etcd.put(key).value(value).exec(), timeoutMs);
  }

  async delete(key: string, { timeoutMs }: KeyValueCall): Promise<void> {
    await this.#client.call((etcd) => etcd.delete().key(key).exec(), timeoutMs);
  }

  close(): Promise<void> {
    this.#client[Symbol.dispose]();
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #keyValue(entry: IKeyValue, { timeoutMs }: KeyValueCall): Promise<KeyValue> {
    const { key, value, lease } = entry;
    const text = { key: key.toString('utf8'), value: value.toString('utf8') };
    if (lease === '0') return { ...text, leaseSeconds: 0 };
    const { TTL } = await this.#client.call(
      ({ leaseClient }) => leaseClient.leaseTimeToLive({ ID: lease, keys: false }),
      timeoutMs,
    );
    return { ...text, leaseSeconds: Math.max(0, Number(TTL)) };
  }
}

function accessOf({ credentials, tls }: KeyValueAddress): NonNullable<EtcdClientOptions['access']> {
  return {
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
