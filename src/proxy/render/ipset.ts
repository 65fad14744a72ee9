/** One set of the kernel. */
export interface Ipset {
  readonly name: string;
  /** `hash:ip,port` */
  readonly type: string;
  /** As on the command line that creates it. */
  readonly options: string;
  readonly members: readonly string[];
}

/** `ipset save`, for `ipset restore`. */
export function renderIpsetSave(sets: readonly Ipset[]): string {
  const lines = sets.flatMap(({ name, type, options, members }) => [
    `create ${name} ${type} ${options}`,
    ...members.map((member) => `add ${name} ${member}`),
  ]);
  return lines.map((line) => `${line}\n`).join('');
}

/** `ipset list`, without revision, memory and references, which only a kernel knows. */
export function renderIpsetList(sets: readonly Ipset[]): string {
  return sets
    .map(({ name, type, options, members }) =>
      [
        `Name: ${name}`,
        `Type: ${type}`,
        `Header: ${options}`,
        `Number of entries: ${members.length}`,
        'Members:',
        ...members,
        '',
      ].join('\n'),
    )
    .join('\n');
}

/** `ipset list -n`. */
export function renderIpsetNames(sets: readonly Ipset[]): string {
  return sets.map(({ name }) => `${name}\n`).join('');
}
