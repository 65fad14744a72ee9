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

/** A whole picture. `title` is what screen readers say. */
export function svgDocument(width: number, height: number, title: string, content: string): string {
  return element(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      viewBox: `0 0 ${width} ${height}`,
      role: 'img',
      'aria-label': title,
    },
    content,
  );
}

/**
 * Colours as classes, so that a page can give them two themes. The series are Okabe and Ito's, which
 * people with colour-blindness tell apart; past eight, lines repeat dashed.
 */
export const PLOT_STYLE: string = [
  'text{font:11px system-ui,sans-serif;fill:var(--ink,#222)}',
  '.muted{fill:var(--muted,#666)}',
  '.grid{stroke:var(--grid,#ddd);stroke-width:1}',
  '.axis{stroke:var(--muted,#666);stroke-width:1}',
  '.line{fill:none;stroke-width:2;stroke-linejoin:round}',
  '.strong{font-weight:600}',
  '.dashed{stroke-dasharray:6 3}',
  ...[
    '#0072b2',
    '#d55e00',
    '#009e73',
    '#cc79a7',
    '#b8860b',
    '#56b4e9',
    '#7a4fbf',
    '#777777',
  ].flatMap((colour, index) => [
    `.s${index}{stroke:var(--s${index},${colour})}`,
    `.f${index}{fill:var(--s${index},${colour})}`,
  ]),
].join('');

export const SERIES_COLOURS = 8;

/** Class names of the n-th series. */
export function seriesClass(index: number): string {
  return `s${index % SERIES_COLOURS}${index >= SERIES_COLOURS ? ' dashed' : ''}`;
}

/** The same picture on its own, with its colours inside: for papers. */
export function standaloneSvg(svg: string): string {
  const styled = svg.replace(/^<svg([^>]*)>/, `<svg$1><style>${PLOT_STYLE}</style>`);
  return `<?xml version="1.0" encoding="UTF-8"?>\n${styled}\n`;
}
