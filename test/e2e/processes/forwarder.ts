// A forwarder in a process of its own: tsx forwarder.ts ENGINE BACKEND_PORT. Prints its port; prints its counters
// as a line of JSON for every line it reads.
import { createInterface } from 'node:readline';
import { systemClock } from '../../../src/base/clock.ts';
import { createEngine, type EngineChoice } from '../../../src/proxy/engine/create-engine.ts';

const [choice, backendPort] = process.argv.slice(2);
const engine = createEngine({ clock: systemClock, choice: choice as EngineChoice });
const { local } = await engine.listen({
  address: '127.0.0.1',
  port: 0,
  route: () => ({ kind: 'dial', address: '127.0.0.1', port: Number(backendPort) }),
});
process.stdout.write(`${local.port}\n`);
createInterface({ input: process.stdin }).on('line', () => {
  process.stdout.write(`${JSON.stringify(engine.counters)}\n`);
});
