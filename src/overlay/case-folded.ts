/** A JSON object read as Go's encoding/json reads into a struct: keys in any case, the last of equal ones wins. */
export interface JsonObject {
  /** Absent and null give `fallback`; another type adds a problem and gives `fallback`. */
  boolean<T>(key: string, fallback: T, problems: string[]): boolean | T;
  /** As {@link boolean}; also refuses what is not a whole number from 0 to `max`. */
  unsigned<T>(key: string, max: number, fallback: T, problems: string[]): number | T;
  string<T>(key: string, fallback: T, problems: string[]): string | T;
  object(key: string, problems: string[]): JsonObject | undefined;
}

/** `path` goes before the keys in problems, for example `Backend.`. */
export function caseFolded(json: object, path = ''): JsonObject {
  const values = new Map<string, unknown>();
  for (const [key, value] of Object.entries(json))
    if (value !== null) values.set(key.toLowerCase(), value);

  const read = <T, F>(
    key: string,
    expected: string,
    accepts: (value: unknown) => value is T,
    fallback: F,
    problems: string[],
  ): T | F => {
    const value = values.get(key.toLowerCase());
    if (value === undefined) return fallback;
    if (accepts(value)) return value;
    problems.push(`${path}${key}: must be ${expected}, not ${JSON.stringify(value)}`);
    return fallback;
  };

  return {
    boolean: (key, fallback, problems) =>
      read(key, 'true or false', (value) => typeof value === 'boolean', fallback, problems),
    unsigned: (key, max, fallback, problems) =>
      read(
        key,
        `a whole number from 0 to ${max}`,
        (value): value is number => isUnsigned(value, max),
        fallback,
        problems,
      ),
    string: (key, fallback, problems) =>
      read(key, 'a string', (value) => typeof value === 'string', fallback, problems),
    object: (key, problems) => {
      const value = read(key, 'an object', isObject, undefined, problems);
      return value === undefined ? undefined : caseFolded(value, `${path}${key}.`);
    },
  };
}

function isUnsigned(value: unknown, max: number): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
