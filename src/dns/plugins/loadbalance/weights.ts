import type { Clock, Timer } from '../../../base/clock.ts';
import type { Random } from '../../../base/random.ts';
import { CorefileError } from '../../corefile/corefile-error.ts';
import type { Token } from '../../corefile/lexer.ts';
import { RecordType } from '../../message/codes.ts';
import type { ResourceRecord } from '../../message/message.ts';
import { foldName, fullyQualified } from '../../message/name.ts';
import { integerArgument, type FileReader } from '../../plugin/setup.ts';

const DEFAULT_WEIGHT = 1;

/** Weights of addresses by owner name. */
export interface Weights {
  of(name: string): ReadonlyMap<string, number>;
  stop(): void;
}

/** Reads `NAME` lines followed by `ADDRESS WEIGHT` lines, and again every `reloadMs`; 0: never. */
export async function loadWeights(
  file: Token,
  { files, clock, reloadMs }: { files: FileReader; clock: Clock; reloadMs: number },
): Promise<Weights> {
  let table = parseWeights(await read(file, files), file);
  let timer: Timer | undefined;
  const reload = async (): Promise<void> => {
    try {
      table = parseWeights(await files.read(file.text), file);
    } catch {
      // The weights in force stay until the file can be read again.
    }
    schedule();
  };
  const schedule = (): void => {
    if (reloadMs > 0) timer = clock.setTimer(reloadMs, () => void reload());
  };
  schedule();
  return { of: (name) => table.get(name) ?? new Map(), stop: () => timer?.cancel() };
}

/** The first address is drawn by weight, the others follow as they were. */
export function pickWeighted(
  records: readonly ResourceRecord[],
  weights: ReadonlyMap<string, number>,
  random: Random,
): ResourceRecord[] {
  const addresses = records.filter(({ type }) => type === RecordType.A || type === RecordType.AAAA);
  const first = addresses[0];
  if (first === undefined) return [...records];
  const weightOf = ({ data }: ResourceRecord): number =>
    data.kind === 'address' ? (weights.get(data.address) ?? DEFAULT_WEIGHT) : 0;
  let left = random.below(
    Math.max(
      1,
      addresses.reduce((sum, entry) => sum + weightOf(entry), 0),
    ),
  );
  const chosen = addresses.find((entry) => (left -= weightOf(entry)) < 0) ?? first;
  const others = addresses.filter((entry) => entry !== chosen);
  return [...records.filter((entry) => !addresses.includes(entry)), chosen, ...others];
}

async function read(file: Token, files: FileReader): Promise<string> {
  try {
    return await files.read(file.text);
  } catch (error) {
    throw new CorefileError(file, `cannot read the weights in '${file.text}'`, { cause: error });
  }
}

function parseWeights(text: string, file: Token): Map<string, Map<string, number>> {
  const table = new Map<string, Map<string, number>>();
  let current = new Map<string, number>();
  for (const [index, raw] of text.split('\n').entries()) {
    const words = raw.replace(/#.*/, '').trim().split(/\s+/);
    const [first = '', second] = words;
    if (first === '') continue;
    if (second === undefined) {
      current = new Map();
      table.set(foldName(fullyQualified(first)), current);
    } else {
      const token = { text: second, quoted: false, file: file.text, line: index + 1 };
      current.set(first, integerArgument(token, 'weight', { min: 1, max: 255 }));
    }
  }
  return table;
}
