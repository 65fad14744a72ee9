import type { RecordWord } from './record-word.ts';

/** As many lines as miekg/dns makes of one directive. */
const MAX_LINES = 65_536;

/**
 * BIND's `$GENERATE START-STOP[/STEP] LINE`: the line once for each number, with the number in place of
 * `$` or of `${OFFSET[,WIDTH[,d|o|x|X]]}`. Throws an Error that says what was expected.
 *
 * @yields the words of one line
 */
export function* generate([range, ...line]: readonly RecordWord[]): Generator<RecordWord[]> {
  const [, from, to, step = '1'] = /^(\d+)-(\d+)(?:\/(\d+))?$/.exec(range?.text ?? '') ?? [];
  const [start, stop, by] = [Number(from), Number(to), Number(step)];
  if (range === undefined || !(start <= stop) || by === 0)
    throw new Error(`$GENERATE: expected START-STOP[/STEP], not '${range?.text ?? ''}'`);
  if ((stop - start) / by >= MAX_LINES) throw new Error(`$GENERATE: more than ${MAX_LINES} lines`);
  for (let number = start; number <= stop; number += by)
    yield line.map((word) => ({ ...word, text: numbered(word.text, number) }));
}

function numbered(text: string, number: number): string {
  return text.replace(
    /\\\$|\$\$|\$(?:\{(-?\d+)(?:,(\d+))?(?:,([doxX]))?\})?/g,
    (whole, offset: string | undefined, width = '0', base = 'd') => {
      if (whole === '\\$' || whole === '$$') return '$';
      return inBase(number + Number(offset ?? 0), String(base)).padStart(Number(width), '0');
    },
  );
}

function inBase(value: number, base: string): string {
  switch (base) {
    case 'o':
      return value.toString(8);
    case 'x':
      return value.toString(16);
    case 'X':
      return value.toString(16).toUpperCase();
    default:
      return String(value);
  }
}
