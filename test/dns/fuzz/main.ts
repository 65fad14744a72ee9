// npm run fuzz:dns [-- COUNT [SEED]]: mutated queries, a million of them, against a server in this process.
import { freshSeed } from '../../../src/base/random.ts';
import { clusterSource } from '../cluster-fixture.ts';
import { startTestServer } from '../dns-fixture.ts';
import { fuzzServer } from './fuzz-queries.ts';

const [count = '1000000', seed = freshSeed()] = process.argv.slice(2);

const server = await startTestServer(
  '. {\n bufsize 1232\n cache 30\n loadbalance\n kubernetes cluster.local in-addr.arpa ip6.arpa {\n pods insecure\n}\n}',
  { source: clusterSource() },
);
const report = await fuzzServer({
  port: server.addresses[0]?.port ?? 0,
  count: Number(count),
  seed,
});
await server.close();
const failed = report.tooLong.length > 0 || report.unanswered > 0;
process.stdout.write(
  `seed ${seed}: ${report.sent} queries, ${report.replied} replies, ${report.tooLong.length} too long, ${report.unanswered} probes unanswered\n`,
);
for (const query of report.tooLong.slice(0, 10)) process.stdout.write(`too long: ${query}\n`);
process.exitCode = failed ? 1 : 0;
