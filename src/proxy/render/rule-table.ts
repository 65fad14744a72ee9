/** One table of rules as `iptables-save` prints it. */
export class RuleTable {
  readonly name: 'mangle' | 'nat' | 'filter';
  readonly #chains = new Map<string, string[]>();
  readonly #builtins: readonly string[];

  /** `builtins` in the order of the hooks; their policy is ACCEPT. */
  constructor(name: 'mangle' | 'nat' | 'filter', builtins: readonly string[]) {
    this.name = name;
    this.#builtins = builtins;
    for (const chain of builtins) this.#chains.set(chain, []);
  }

  /** Makes sure that the chain is there, if only empty. */
  chain(name: string): void {
    if (!this.#chains.has(name)) this.#chains.set(name, []);
  }

  /** Appends a rule; `parts` are what stands behind `-A CHAIN`. */
  append(chain: string, ...parts: readonly string[]): void {
    this.chain(chain);
    this.#chains.get(chain)?.push(parts.join(' '));
  }

  /** Adds another table's rules behind this one's, but for those that its chains have already. */
  join(other: RuleTable): void {
    for (const [chain, rules] of other.#chains) {
      this.chain(chain);
      const own = this.#chains.get(chain) ?? [];
      const known = new Set(own);
      own.push(...rules.filter((rule) => !known.has(rule)));
    }
  }

  /** Of all chains, or of those that `matches` picks. */
  countRules(matches: (chain: string) => boolean = () => true): number {
    let count = 0;
    for (const [chain, rules] of this.#chains) if (matches(chain)) count += rules.length;
    return count;
  }

  /** Built-in chains first, the others by name. */
  lines(): string[] {
    const own = [...this.#chains.keys()].filter((chain) => !this.#builtins.includes(chain));
    const order = [...this.#builtins, ...own.toSorted()];
    return [
      `*${this.name}`,
      ...order.map((chain) =>
        this.#builtins.includes(chain) ? `:${chain} ACCEPT [0:0]` : `:${chain} - [0:0]`,
      ),
      ...order.flatMap((chain) =>
        (this.#chains.get(chain) ?? []).map((rule) => `-A ${chain} ${rule}`),
      ),
      'COMMIT',
    ];
  }
}
