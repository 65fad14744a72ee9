import { spawn } from 'node:child_process';
import { once } from 'node:events';

export interface WrkLoad {
  readonly path: string;
  readonly connections: number;
  readonly seconds: number;
  /** False: one connection a request. */
  readonly keepAlive: boolean;
}

export interface WrkResult {
  readonly requests: number;
  readonly bytes: number;
  readonly errors: number;
  readonly p50Micros: number;
  readonly p99Micros: number;
}

/** Runs wrk with one thread; `script` is report.lua. */
export async function runWrk(port: number, script: string, load: WrkLoad): Promise<WrkResult> {
  const argv = ['-t1', `-c${load.connections}`, `-d${load.seconds}s`, '-s', script];
  if (!load.keepAlive) argv.push('-H', 'Connection: close');
  argv.push(`http://127.0.0.1:${port}${load.path}`);
  const child = spawn('wrk', argv, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  await once(child, 'close');
  const line = output.split('\n').find((text) => text.startsWith('{'));
  if (line === undefined) throw new Error(`wrk printed no result: ${output}`);
  return JSON.parse(line) as WrkResult;
}

/** What wrk prints at the end, as one line of JSON. */
export const REPORT_LUA = `
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '{"requests":%d,"bytes":%d,"errors":%d,"p50Micros":%d,"p99Micros":%d}\\n',
    summary.requests, summary.bytes, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
`;
