import type { Clock } from '../../base/clock.ts';

export type RedisReply =
  | string
  | number
  | null
  | RedisReply[]
  | { readonly ok: string }
  | { readonly error: string };

/** Keys beyond this are refused as a full Redis refuses them. */
const MAX_KEYS = 100_000;

/** What asking for one kind of value gives when the key holds another. */
const wrongType: unique symbol = Symbol('wrong type');

const OK: RedisReply = { ok: 'OK' };
const WRONG_TYPE: RedisReply = {
  error: 'WRONGTYPE Operation against a key holding the wrong kind of value',
};
const NOT_INTEGER: RedisReply = { error: 'ERR value is not an integer or out of range' };
const SYNTAX: RedisReply = { error: 'ERR syntax error' };

interface Entry {
  value: string | string[];
  /** On the clock's monotonic scale. */
  expiresAt?: number;
}

interface Command {
  /** As in Redis: positive = exactly that many words (the name counts), negative = at least. */
  readonly arity: number;
  run(store: RedisStore, args: readonly string[]): RedisReply;
}

/** The data of one Redis. Strings are byte strings (latin1). */
export class RedisStore {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  execute(words: readonly string[]): RedisReply {
    const [name = '', ...args] = words;
    const command = COMMANDS[name.toUpperCase()];
    if (command === undefined) return { error: `ERR unknown command '${name}'` };
    const fits =
      command.arity > 0 ? words.length === command.arity : words.length >= -command.arity;
    if (!fits)
      return { error: `ERR wrong number of arguments for '${name.toLowerCase()}' command` };
    return command.run(this, args);
  }

  entry(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry?.expiresAt === undefined || entry.expiresAt > this.#clock.now()) return entry;
    this.#entries.delete(key);
    return undefined;
  }

  text(key: string): string | undefined | typeof wrongType {
    const value = this.entry(key)?.value;
    return Array.isArray(value) ? wrongType : value;
  }

  list(key: string): string[] | undefined | typeof wrongType {
    const value = this.entry(key)?.value;
    return typeof value === 'string' ? wrongType : value;
  }

  put(key: string, value: Entry['value'], expiresInMs?: number): RedisReply {
    if (!this.#entries.has(key) && this.#entries.size >= MAX_KEYS)
      return { error: "OOM command not allowed when used memory > 'maxmemory'." };
    const expiresAt =
      expiresInMs === undefined ? {} : { expiresAt: this.#clock.now() + expiresInMs };
    this.#entries.set(key, { value, ...expiresAt });
    return OK;
  }

  expire(key: string, inMs: number): boolean {
    const entry = this.entry(key);
    if (entry === undefined) return false;
    entry.expiresAt = this.#clock.now() + inMs;
    return true;
  }

  /** Redis' TTL: -2 no such key, -1 no expiry. */
  ttlMs(key: string): number {
    const entry = this.entry(key);
    if (entry === undefined) return -2;
    return entry.expiresAt === undefined ? -1 : entry.expiresAt - this.#clock.now();
  }

  remove(key: string): boolean {
    return this.entry(key) !== undefined && this.#entries.delete(key);
  }

  keys(): string[] {
    return [...this.#entries.keys()].filter((key) => this.entry(key) !== undefined);
  }

  clear(): void {
    this.#entries.clear();
  }
}

function add(store: RedisStore, key: string, by: number): RedisReply {
  const text = store.text(key) ?? '0';
  if (text === wrongType) return WRONG_TYPE;
  const sum = Number(text) + by;
  if (!/^-?\d+$/.test(text) || !Number.isSafeInteger(sum)) return NOT_INTEGER;
  const entry = store.entry(key);
  if (entry === undefined) store.put(key, String(sum));
  else entry.value = String(sum);
  return sum;
}

function push(store: RedisStore, args: readonly string[], end: 'head' | 'tail'): RedisReply {
  const [key = '', ...values] = args;
  const list = store.list(key) ?? [];
  if (list === wrongType) return WRONG_TYPE;
  if (list.length === 0) store.put(key, list);
  for (const value of values) {
    if (end === 'head') list.unshift(value);
    else list.push(value);
  }
  return list.length;
}

function set(store: RedisStore, [key = '', value = '', ...options]: readonly string[]): RedisReply {
  let expiresInMs: number | undefined;
  for (let index = 0; index < options.length; index += 1) {
    const option = options[index]?.toUpperCase();
    if (option === 'NX' && store.entry(key) !== undefined) return null;
    if (option === 'XX' && store.entry(key) === undefined) return null;
    if (option === 'EX' || option === 'PX') {
      index += 1;
      expiresInMs = Number(options[index]) * (option === 'EX' ? 1000 : 1);
      if (!(expiresInMs > 0)) return NOT_INTEGER;
    } else if (option !== 'NX' && option !== 'XX') return SYNTAX;
  }
  return store.put(key, value, expiresInMs);
}

function range(store: RedisStore, [key = '', from = '', to = '']: readonly string[]): RedisReply {
  const list = store.list(key) ?? [];
  if (list === wrongType) return WRONG_TYPE;
  const first = Number(from);
  const last = Number(to);
  if (!Number.isInteger(first) || !Number.isInteger(last)) return NOT_INTEGER;
  return list.slice(first, last === -1 ? undefined : last + 1);
}

/** Redis globs: `*`, `?` and sets. */
function globToRegExp(glob: string): RegExp {
  const escaped = glob.replaceAll(/[.+^${}()|\\]/g, '\\$&');
  return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`, 's');
}

const COMMANDS: Readonly<Record<string, Command>> = {
  PING: { arity: -1, run: (_, [text]) => text ?? { ok: 'PONG' } },
  ECHO: { arity: 2, run: (_, [text = '']) => text },
  QUIT: { arity: -1, run: () => OK },
  SELECT: {
    arity: 2,
    run: (_, [index]) => (index === '0' ? OK : { error: 'ERR DB index is out of range' }),
  },
  COMMAND: { arity: -1, run: () => [] },
  CLIENT: { arity: -2, run: () => OK },
  INFO: {
    arity: -1,
    run: (store) =>
      `# Server\r\nredis_mode:standalone\r\n# Keyspace\r\ndb0:keys=${store.keys().length}\r\n`,
  },
  DBSIZE: { arity: 1, run: (store) => store.keys().length },
  FLUSHALL: {
    arity: -1,
    run: (store) => {
      store.clear();
      return OK;
    },
  },
  KEYS: {
    arity: 2,
    run: (store, [glob = '*']) => store.keys().filter((key) => globToRegExp(glob).test(key)),
  },
  SET: { arity: -3, run: set },
  GET: {
    arity: 2,
    run: (store, [key = '']) => {
      const text = store.text(key);
      return text === wrongType ? WRONG_TYPE : (text ?? null);
    },
  },
  MGET: {
    arity: -2,
    run: (store, keys) =>
      keys.map((key) => {
        const text = store.text(key);
        return text === undefined || text === wrongType ? null : text;
      }),
  },
  DEL: { arity: -2, run: (store, keys) => keys.filter((key) => store.remove(key)).length },
  EXISTS: {
    arity: -2,
    run: (store, keys) => keys.filter((key) => store.entry(key) !== undefined).length,
  },
  INCR: { arity: 2, run: (store, [key = '']) => add(store, key, 1) },
  DECR: { arity: 2, run: (store, [key = '']) => add(store, key, -1) },
  INCRBY: {
    arity: 3,
    run: (store, [key = '', by = '']) =>
      /^-?\d+$/.test(by) ? add(store, key, Number(by)) : NOT_INTEGER,
  },
  APPEND: {
    arity: 3,
    run: (store, [key = '', tail = '']) => {
      const text = store.text(key) ?? '';
      if (text === wrongType) return WRONG_TYPE;
      const entry = store.entry(key);
      if (entry === undefined) store.put(key, tail);
      else entry.value = text + tail;
      return text.length + tail.length;
    },
  },
  EXPIRE: {
    arity: 3,
    run: (store, [key = '', seconds = '']) =>
      /^\d+$/.test(seconds) ? Number(store.expire(key, Number(seconds) * 1000)) : NOT_INTEGER,
  },
  TTL: {
    arity: 2,
    run: (store, [key = '']) => {
      const ttlMs = store.ttlMs(key);
      return ttlMs < 0 ? ttlMs : Math.ceil(ttlMs / 1000);
    },
  },
  TYPE: {
    arity: 2,
    run: (store, [key = '']) => {
      const value = store.entry(key)?.value;
      if (value === undefined) return { ok: 'none' };
      return { ok: Array.isArray(value) ? 'list' : 'string' };
    },
  },
  LPUSH: { arity: -3, run: (store, args) => push(store, args, 'head') },
  RPUSH: { arity: -3, run: (store, args) => push(store, args, 'tail') },
  LRANGE: { arity: 4, run: range },
  LLEN: {
    arity: 2,
    run: (store, [key = '']) => {
      const list = store.list(key) ?? [];
      return list === wrongType ? WRONG_TYPE : list.length;
    },
  },
};
