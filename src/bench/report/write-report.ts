import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { toCsv } from './csv.ts';
import { htmlReport } from './html.ts';
import { toJson } from './json.ts';
import { intervalDots } from './plots/interval-dots.ts';
import { latencyCurves } from './plots/latency-curves.ts';
import { overviews } from './overviews.ts';
import { standaloneSvg } from './plots/svg.ts';
import type { BenchResult } from './result.ts';
import { textReport } from './text-table.ts';

/** Every file of a report by name. Pure: the same result gives the same bytes. */
export function reportFiles(result: BenchResult): ReadonlyMap<string, string> {
  const files = new Map([
    ['report.html', htmlReport(result)],
    ['results.json', toJson(result)],
    ['results.csv', toCsv(result)],
    ['report.txt', result.scenarios.map(textReport).join('\n')],
  ]);
  const addPicture = (name: string, svg: string): void => {
    if (svg !== '') files.set(`${name}.svg`, standaloneSvg(svg));
  };
  for (const scenario of result.scenarios) {
    const prefix = `${scenario.scenario.name}-${scenario.engine}`;
    addPicture(`${prefix}-latency`, latencyCurves(scenario));
    addPicture(`${prefix}-p99`, intervalDots(scenario, 'p99Ms'));
  }
  for (const { name, svg } of overviews(result.scenarios)) addPicture(`overview-${name}`, svg);
  return files;
}

/** Writes a report into `folder`, which is made when missing; files of the same names are replaced. */
export async function writeReport(result: BenchResult, folder: string): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  const paths: string[] = [];
  for (const [name, text] of reportFiles(result)) {
    const path = join(folder, name);
    await writeFile(path, text);
    paths.push(path);
  }
  return paths;
}
