/** Notes what is wrong with a field, and what to do about it; gives undefined in its place. */
export type Refuse = (field: string, message: string) => undefined;

/** Settings some of which may have been refused. */
export type Draft<T> = { readonly [K in keyof T]: T[K] | undefined };

/** True when nothing was refused. */
export function isComplete<T extends object>(draft: Draft<T>): draft is T {
  return Object.values(draft).every((value) => value !== undefined);
}
