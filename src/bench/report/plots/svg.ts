/** Escapes text for XML and HTML, in content and in quoted attributes. */
export function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

type Attributes = Readonly<Record<string, string | number | undefined>>;

/** One element; numbers are rounded to a tenth of a pixel so that files stay small and stable. */
export function element(name: string, attributes: Attributes, content = ''): string {
  const text = Object.entries(attributes)
    .flatMap(([key, value]) =>
      value === undefined
        ? []
        : [` ${key}="${typeof value === 'number' ? round(value) : escapeXml(value)}"`],
    )
    .join('');
  return content === '' ? `<${name}${text}/>` : `<${name}${text}>${content}</${name}>`;
}

export function textElement(
  x: number,
  y: number,
  text: string,
  attributes: Attributes = {},
): string {
  return element('text', { x, y, ...attributes }, escapeXml(text));
}

export function round(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** About how wide a text is, for what is laid out around it: system fonts differ by a tenth. */
export function widthOf(texts: readonly string[]): number {
  return 6.3 * Math.max(0, ...texts.map((text) => text.length));
}

const MOST_LETTERS = 26;

/** A name that leaves room for what it names; the end tells pods apart. */
export function shortened(name: string): string {
  return name.length <= MOST_LETTERS
    ? name
    : `${name.slice(0, 14)}…${name.slice(-(MOST_LETTERS - 15))}`;
}

/** Pictures are drawn small and shown larger, so that their texts have the size of a page's. */
const SHOWN_SCALE = 1.25;

/** A whole picture. `title` is what screen readers say. */
export function svgDocument(width: number, height: number, title: string, content: string): string {
  return element(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      width: width * SHOWN_SCALE,
      height: height * SHOWN_SCALE,
      viewBox: `0 0 ${round(width)} ${round(height)}`,
      // Paper has its own scale: see page-assets.ts.
      style: `--width:${round(width)}`,
      role: 'img',
      'aria-label': title,
    },
    content,
  );
}

/** Okabe and Ito's colours, which people with colour-blindness tell apart, and two more. */
const SERIES = [
  '#0072b2',
  '#d55e00',
  '#009e73',
  '#cc79a7',
  '#b8860b',
  '#56b4e9',
  '#7a4fbf',
  '#777777',
] as const;

/** The series on paper. */
export const LIGHT_SERIES: string = [
  ...SERIES.map((colour, index) => `--s${index}:${colour}`),
  `--less:${SERIES[0]}`,
  `--more:${SERIES[1]}`,
].join(';');

/**
 * Colours as classes, so that a page can give them two themes. Past the last series, lines repeat dashed, then
 * dotted.
 */
export const PLOT_STYLE: string = [
  'text{font:11px system-ui,sans-serif;fill:var(--ink,#222)}',
  '.muted{fill:var(--muted,#666)}',
  '.grid{stroke:var(--grid,#ddd);stroke-width:1}',
  '.axis{stroke:var(--muted,#666);stroke-width:1}',
  '.line{fill:none;stroke-width:2;stroke-linejoin:round}',
  '.strong{font-weight:600}',
  '.dashed{stroke-dasharray:6 3}',
  '.dotted{stroke-dasharray:1.5 3}',
  '.leader{stroke-width:1;stroke-opacity:.55}',
  ...SERIES.flatMap((colour, index) => [
    `.s${index}{stroke:var(--s${index},${colour})}`,
    `.f${index}{fill:var(--s${index},${colour})}`,
  ]),
  // Under figures, so that these stay readable: see DARK_COLOURS.
  `.less{fill:var(--less,${SERIES[0]})}`,
  `.more{fill:var(--more,${SERIES[1]})}`,
].join('');

export const SERIES_COLOURS: number = SERIES.length;

/** The same names for a dark page. */
export const DARK_COLOURS: string = [
  '--ink:#e6e8ea;--muted:#9aa3ab;--grid:#30363b;',
  '--s0:#56a8e8;--s1:#f08a4b;--s2:#3ecf9f;--s3:#e29ac4;',
  '--s4:#e0b33a;--s5:#8fd0f7;--s6:#b79af0;--s7:#a5a5a5;--less:#1f6ea8;--more:#a4501c',
].join('');

/** Of the first so many series, of as many more, and of the rest. */
const STROKES = ['', ' dashed', ' dotted'] as const;

/** Class names of the n-th series. */
export function seriesClass(index: number): string {
  return `s${index % SERIES_COLOURS}${STROKES[Math.floor(index / SERIES_COLOURS)] ?? ' dotted'}`;
}

const STANDALONE_STYLE = `:root{color-scheme:light dark}${PLOT_STYLE}@media (prefers-color-scheme:dark){:root{${DARK_COLOURS}}}`;

/** The same picture on its own, with its colours inside: for papers and READMEs. */
export function standaloneSvg(svg: string): string {
  const styled = svg.replace(/^<svg([^>]*)>/, `<svg$1><style>${STANDALONE_STYLE}</style>`);
  return `<?xml version="1.0" encoding="UTF-8"?>\n${styled}\n`;
}
