/** One table of nftables, spelled as `nft list ruleset` spells it. */
export class NftTable {
  readonly #family: 'ip' | 'ip6';
  readonly #sets: NftSet[] = [];
  readonly #chains = new Map<
    string,
    { readonly head: readonly string[]; readonly rules: string[] }
  >();

  constructor(family: 'ip' | 'ip6') {
    this.#family = family;
  }

  set(set: NftSet): void {
    this.#sets.push(set);
  }

  /** `head` is what stands above the rules: type and hook of a base chain, or a comment. */
  chain(name: string, ...head: readonly string[]): void {
    if (!this.#chains.has(name)) this.#chains.set(name, { head, rules: [] });
  }

  rule(chain: string, ...parts: readonly string[]): void {
    this.chain(chain);
    this.#chains.get(chain)?.rules.push(parts.join(' '));
  }

  countRules(): number {
    let count = 0;
    for (const { rules } of this.#chains.values()) count += rules.length;
    return count;
  }

  render(): string {
    const blocks = [
      ...this.#sets.map(renderSet),
      ...[...this.#chains].map(([name, { head, rules }]) =>
        block(`chain ${name}`, [...head, ...rules]),
      ),
    ];
    const body = blocks.map((lines) => lines.map((line) => `\t${line}`).join('\n')).join('\n\n');
    return `table ${this.#family} kube-proxy {\n\tcomment "rules for kube-proxy"\n${body}\n}\n`;
  }
}

export interface NftSet {
  readonly kind: 'set' | 'map';
  readonly name: string;
  readonly type: string;
  readonly comment?: string;
  /** Lines between type and comment: size, flags, timeout. */
  readonly properties?: readonly string[];
  readonly elements: readonly string[];
}

function renderSet({ kind, name, type, comment, properties, elements }: NftSet): string[] {
  const lines = [`type ${type}`, ...(properties ?? [])];
  if (comment !== undefined) lines.push(`comment "${comment}"`);
  if (elements.length > 0) lines.push(...renderElements(elements, type === 'ipv4_addr' ? 2 : 1));
  return block(`${kind} ${name}`, lines);
}

/** One element a line, or two plain IPv4 addresses; those after the first line below its first. */
function renderElements(elements: readonly string[], perLine: number): string[] {
  const lines: string[] = [];
  for (let from = 0; from < elements.length; from += perLine)
    lines.push(elements.slice(from, from + perLine).join(', '));
  return lines.map((line, index) => {
    const before = index === 0 ? 'elements = { ' : '\t     ';
    return `${before}${line}${index === lines.length - 1 ? ' }' : ','}`;
  });
}

function block(title: string, lines: readonly string[]): string[] {
  return [`${title} {`, ...lines.map((line) => `\t${line}`), '}'];
}
