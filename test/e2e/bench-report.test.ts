// The HTML report of podwire bench in a real browser: two window sizes, both themes, and on paper. The pictures are
// kept for people to look at in PODWIRE_SCREENSHOTS, when that names a folder.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { reportFiles } from '../../src/bench/report/write-report.ts';
import { simulateScenarios } from '../../src/bench/run/run-bench.ts';
import { ChromiumPage, installedChromium, type View } from './support/chromium.ts';

const program = installedChromium();
if (program === undefined)
  process.stderr.write('bench-report skipped: Chromium is not installed\n');

const SCENARIOS = ['slow-backend', 'weights', 'cold-join'];
const WIDE = { width: 1280, height: 900 };
const NARROW = { width: 420, height: 800 };
/** A4 without the margins of the page, in CSS pixels. */
const PAPER = { width: 688, height: 1000, media: 'print' } as const;

const kept = process.env['PODWIRE_SCREENSHOTS'];
const keep = (name: string, content: Buffer): void => {
  if (kept === undefined) return;
  mkdirSync(kept, { recursive: true });
  writeFileSync(join(kept, name), content);
};

/** Runs in the page. Texts of pictures that leave their picture, or lie over another text of it. */
const MISPLACED_TEXTS = `[...document.querySelectorAll('svg')].flatMap((svg) => {
  const frame = svg.getBoundingClientRect();
  const texts = [...svg.querySelectorAll('text')].map((text) => ({
    text: text.textContent,
    slanted: text.hasAttribute('transform'),
    box: text.getBoundingClientRect(),
  }));
  const outside = texts.filter(({ box }) =>
    box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 || box.bottom > frame.bottom + 1);
  const upright = texts.filter(({ slanted }) => !slanted);
  const overlapping = upright.filter((one, index) => upright.slice(index + 1).some((other) =>
    Math.min(one.box.right, other.box.right) - Math.max(one.box.left, other.box.left) > 1 &&
    Math.min(one.box.bottom, other.box.bottom) - Math.max(one.box.top, other.box.top) > one.box.height * 0.4));
  const title = svg.getAttribute('aria-label');
  return [...outside.map(({ text }) => title + ': outside: ' + text), ...overlapping.map(({ text }) => title + ': over another: ' + text)];
})`;

/** Runs in the page. The least contrast of a text with the paper, by WCAG 2.2. */
const LEAST_CONTRAST = `(() => {
  const luminance = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const paper = luminance(getComputedStyle(document.body).backgroundColor);
  const inks = [...document.querySelectorAll('p, td, th, figcaption, h1, h2, a')].map((one) => getComputedStyle(one).color);
  const fills = [...document.querySelectorAll('svg text')].map((one) => getComputedStyle(one).fill);
  return Math.min(...[...inks, ...fills].map(luminance).map((ink) =>
    (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05)));
})()`;

/** Runs in the page. The least contrast of a figure of a heat map with its cell, whose colour lies over the paper. */
const LEAST_CELL_CONTRAST = `(() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const paper = parts(getComputedStyle(document.body).backgroundColor);
  const cells = [...document.querySelectorAll('rect.less + text, rect.more + text')].map((text) => {
    const { fill, fillOpacity } = getComputedStyle(text.previousElementSibling);
    const cell = parts(fill).map((value, at) => value * fillOpacity + paper[at] * (1 - fillOpacity));
    const [one, other] = [luminance(cell), luminance(parts(getComputedStyle(text).fill))];
    return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  });
  return Math.min(...cells);
})()`;

const PAPER_COLOUR = 'getComputedStyle(document.body).backgroundColor';

describe.skipIf(program === undefined)('report.html', () => {
  let folder = '';
  let page: ChromiumPage | undefined;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'podwire-report-'));
    const result = await simulateScenarios({
      scenarios: SCENARIOS,
      seed: '1',
      seeds: 3,
      version: '1.2.3',
      onProgress: () => {},
    });
    const path = join(folder, 'report.html');
    writeFileSync(path, reportFiles(result).get('report.html') ?? '');
    page = await ChromiumPage.launch(program ?? '');
    await page.open(pathToFileURL(path).href);
  });

  afterAll(async () => {
    await page?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  async function look(view: View): Promise<ChromiumPage> {
    if (page === undefined) throw new Error('no page');
    await page.show(view);
    return page;
  }

  const views: [string, View][] = [
    ['wide and light', { ...WIDE, colours: 'light' }],
    ['wide and dark', { ...WIDE, colours: 'dark' }],
    ['narrow and light', { ...NARROW, colours: 'light' }],
    ['narrow and dark', { ...NARROW, colours: 'dark' }],
    ['on paper, from a light desktop', { ...PAPER, colours: 'light' }],
    ['on paper, from a dark desktop', { ...PAPER, colours: 'dark' }],
  ];

  test.each(views)('%s: readable, and nothing sticks out', async (name, view) => {
    const shown = await look(view);
    keep(`${name.replaceAll(/[ ,]+/g, '-')}.png`, await shown.screenshot());
    expect(await shown.evaluate<number>('document.documentElement.scrollWidth')).toBe(view.width);
    expect(await shown.evaluate<string[]>(MISPLACED_TEXTS)).toEqual([]);
    expect(await shown.evaluate<number>(LEAST_CONTRAST)).toBeGreaterThan(4.5);
    expect(await shown.evaluate<number>(LEAST_CELL_CONTRAST)).toBeGreaterThan(4.5);
    const dark = view.colours === 'dark' && view.media !== 'print';
    const paper = await shown.evaluate<string>(PAPER_COLOUR);
    expect(paper).toBe(dark ? 'rgb(21, 24, 27)' : 'rgb(255, 255, 255)');
  });

  test('every plot is named, has a size, and tells its unit', async () => {
    const shown = await look({ ...WIDE, colours: 'light' });
    const plots = await shown.evaluate<{ name: string; width: number; texts: string[] }[]>(
      `[...document.querySelectorAll('svg')].map((svg) => ({
        name: svg.getAttribute('aria-label'),
        width: svg.getBoundingClientRect().width,
        texts: [...svg.querySelectorAll('text')].map((text) => text.textContent),
      }))`,
    );
    // Of each scenario: curves, shares, at least two rows of dots, and load over time by algorithm.
    expect(plots.length).toBeGreaterThan(SCENARIOS.length * 8);
    for (const plot of plots) {
      expect(plot.name).toMatch(/\w+/);
      expect(plot).toMatchObject({ width: expect.toSatisfy((width: number) => width > 200) });
      const units = plot.texts.filter((text) => /\((?:ms|s|%|ratio)\)/.test(text));
      expect({ plot: plot.name, units }).not.toEqual({ plot: plot.name, units: [] });
    }
  });

  test('pointing at a row of the table fades the other curves', async () => {
    const shown = await look({ ...WIDE, colours: 'light' });
    const faded = await shown.evaluate<[number, number]>(`(() => {
      const row = document.querySelector('tr[data-series=ipvs-lc]');
      const count = () => document.querySelectorAll('section .faded').length;
      row.dispatchEvent(new MouseEvent('mouseenter'));
      const during = count();
      row.dispatchEvent(new MouseEvent('mouseleave'));
      return [during, count()];
    })()`);
    expect(faded[0]).toBeGreaterThan(10);
    expect(faded[1]).toBe(0);
  });

  test('prints', async () => {
    const shown = await look({ ...WIDE, colours: 'dark' });
    const pdf = await shown.pdf();
    keep('report.pdf', pdf);
    expect(pdf.subarray(0, 5).toString('latin1')).toBe('%PDF-');
    const pages = pdf.toString('latin1').match(/\/Type\s*\/Page\b/g)?.length ?? 0;
    // A page for the overview and one or two for each scenario.
    expect(pages).toBeGreaterThan(SCENARIOS.length);
    expect(pages).toBeLessThanOrEqual(1 + 3 * SCENARIOS.length);
  });

  test('asks for nothing but itself, and complains of nothing', () => {
    const others = page?.requested.filter((url) => !url.startsWith('data:')) ?? [];
    expect(others).toEqual([pathToFileURL(join(folder, 'report.html')).href]);
    expect(page?.complaints).toEqual([]);
  });
});
