/** One thing wrong with a document, and where: `backends[1].serviceTime.meanMs: must be above 0`. */
export interface Problem {
  readonly path: string;
  readonly message: string;
}

const LABEL = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;

export interface NumberRule {
  /** Used when the field is absent; without it the field is required. */
  readonly or?: number;
  readonly min?: number;
  readonly above?: number;
  readonly max?: number;
  readonly integer?: boolean;
  /** True: the word `unlimited` stands for Infinity. */
  readonly unlimited?: boolean;
}

/**
 * Reads the fields of one object of an untrusted document. Everything wrong is noted with its path, and a
 * harmless value returned in its place, so that one pass finds every problem.
 */
export class Fields {
  readonly path: string;
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #problems: Problem[];
  readonly #known = new Set<string>();

  constructor(value: unknown, path: string, problems: Problem[]) {
    this.path = path;
    this.#problems = problems;
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    this.#values = isObject ? (value as Record<string, unknown>) : {};
    if (!isObject) this.#note('', 'must be a mapping');
  }

  has(name: string): boolean {
    return this.#take(name) !== undefined;
  }

  number(name: string, rule: NumberRule): number {
    const value = this.#take(name);
    const fallback = rule.or ?? rule.min ?? 1;
    if (value === undefined) return this.#absent(name, rule.or, fallback);
    if (rule.unlimited === true && value === 'unlimited') return Infinity;
    if (typeof value !== 'number' || !Number.isFinite(value))
      return this.#bad(
        name,
        `must be a number${rule.unlimited === true ? ' or unlimited' : ''}`,
        fallback,
      );
    const complaint = complaintAbout(value, rule);
    return complaint === undefined ? value : this.#bad(name, complaint, fallback);
  }

  text(name: string, fallback?: string): string {
    const value = this.#take(name);
    if (value === undefined) return this.#absent(name, fallback, '');
    return typeof value === 'string' && value !== ''
      ? value
      : this.#bad(name, 'must be a text that is not empty', '');
  }

  /** Something that files and rows are called by. */
  label(name: string, fallback?: string): string {
    const value = this.text(name, fallback);
    return value === '' || LABEL.test(value)
      ? value
      : this.#bad(name, 'must be at most 63 lower-case letters, digits and hyphens', 'x');
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.#take(name);
    if (value === undefined) return fallback;
    return typeof value === 'boolean' ? value : this.#bad(name, 'must be true or false', fallback);
  }

  oneOf<const T extends string>(name: string, allowed: readonly [T, ...T[]], fallback?: T): T {
    const value = this.#take(name);
    if (value === undefined) return this.#absent(name, fallback, allowed[0]);
    const found = allowed.find((candidate) => candidate === value);
    return found ?? this.#bad(name, `must be one of ${allowed.join(', ')}`, allowed[0]);
  }

  object(name: string): Fields {
    return new Fields(this.#take(name), this.#at(name), this.#problems);
  }

  optionalObject(name: string): Fields | undefined {
    return this.has(name) ? this.object(name) : undefined;
  }

  objects(name: string): Fields[] {
    return this.#list(name).map(
      (value, index) => new Fields(value, `${this.#at(name)}[${index}]`, this.#problems),
    );
  }

  texts(name: string): string[] {
    return this.#list(name).map((value, index) =>
      typeof value === 'string' ? value : this.#bad(`${name}[${index}]`, 'must be a text', ''),
    );
  }

  numbers(name: string, rule: NumberRule): number[] {
    return this.#list(name).map((value, index) => {
      if (typeof value !== 'number') return this.#bad(`${name}[${index}]`, 'must be a number', 0);
      const complaint = complaintAbout(value, rule);
      return complaint === undefined ? value : this.#bad(`${name}[${index}]`, complaint, 0);
    });
  }

  /** Notes a problem that only the caller can see. */
  problem(name: string, message: string): void {
    this.#note(name, message);
  }

  /** Call when all fields were read: the rest are misspelt. */
  noMore(): void {
    for (const name of Object.keys(this.#values))
      if (!this.#known.has(name))
        this.#note(name, `unknown field; known here: ${[...this.#known].toSorted().join(', ')}`);
  }

  #take(name: string): unknown {
    this.#known.add(name);
    return this.#values[name] ?? undefined;
  }

  #list(name: string): readonly unknown[] {
    const value = this.#take(name);
    if (value === undefined) return [];
    return Array.isArray(value) ? value : this.#bad(name, 'must be a list', []);
  }

  #absent<T>(name: string, fallback: T | undefined, harmless: T): T {
    return fallback ?? this.#bad(name, 'is required', harmless);
  }

  #bad<T>(name: string, message: string, harmless: T): T {
    this.#note(name, message);
    return harmless;
  }

  #note(name: string, message: string): void {
    this.#problems.push({ path: this.#at(name), message });
  }

  #at(name: string): string {
    if (name === '') return this.path === '' ? 'document' : this.path;
    return this.path === '' ? name : `${this.path}.${name}`;
  }
}

function complaintAbout(value: number, rule: NumberRule): string | undefined {
  if (rule.integer === true && !Number.isInteger(value)) return 'must be a whole number';
  if (rule.above !== undefined && value <= rule.above) return `must be above ${rule.above}`;
  if (rule.min !== undefined && value < rule.min) return `must be at least ${rule.min}`;
  if (rule.max !== undefined && value > rule.max) return `must be at most ${rule.max}`;
  return undefined;
}
