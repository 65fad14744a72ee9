/**
 * Who has which address. Most addresses have one owner, so that one is kept bare: at 50,000 endpoints an
 * array for each would double the index.
 */
export class AddressIndex<T extends object> {
  readonly #owners = new Map<string, T | T[]>();

  add(ip: string, owner: T): void {
    const before = this.#owners.get(ip);
    if (before === undefined) this.#owners.set(ip, owner);
    else if (Array.isArray(before)) before.push(owner);
    else this.#owners.set(ip, [before, owner]);
  }

  remove(ip: string, owner: T): void {
    const before = this.#owners.get(ip);
    if (before === owner) {
      this.#owners.delete(ip);
    } else if (Array.isArray(before)) {
      const rest = before.filter((candidate) => candidate !== owner);
      const [only] = rest;
      if (only !== undefined && rest.length === 1) this.#owners.set(ip, only);
      else this.#owners.set(ip, rest);
    }
  }

  get(ip: string): readonly T[] {
    const owners = this.#owners.get(ip);
    if (owners === undefined) return [];
    return Array.isArray(owners) ? owners : [owners];
  }
}
