import { formatQuery } from '../../dns/explain/format-query.ts';
import { isSubdomain, foldName, fullyQualified } from '../../dns/message/name.ts';
import type { ObservedQuery } from '../../dns/server/observed-query.ts';
import type { NodeDns } from '../node-dns.ts';
import { commandArgs, wrongUsage } from './command-args.ts';
import { asUsage } from './dns-refusal.ts';
import type { NodeCommand } from './node-command.ts';

const ARGUMENTS = '[--name DOMAIN] [--from NAMESPACE/POD] [--server NAME]';
const USAGE = `dns-trace ${ARGUMENTS}`;
const OPTIONS = {
  name: { type: 'string' },
  from: { type: 'string' },
  server: { type: 'string' },
} as const;

/** Lines that wait for a reader that does not keep up; older ones are left out and counted. */
const MAX_WAITING_LINES = 10_000;

interface TraceFilter {
  readonly name?: string;
  readonly from?: string;
  readonly server?: string;
}

/** Follows the queries of the node's DNS servers as they are answered. */
export const dnsTrace: NodeCommand = {
  name: 'dns-trace',
  summary: `${ARGUMENTS}  every query as it is answered, and why`,
  run({ dns }, args, signal) {
    const { values, positionals } = commandArgs(USAGE, args, OPTIONS);
    if (positionals.length > 0) throw wrongUsage(USAGE, `'${positionals[0]}' is not an option`);
    return asUsage(() => follow(dns, values, signal));
  },
};

function follow(dns: NodeDns, filter: TraceFilter, signal: AbortSignal): AsyncIterable<string> {
  const address = filter.from === undefined ? undefined : dns.podAddress(filter.from);
  const domain = foldName(fullyQualified(filter.name ?? '.'));
  const wanted = ({ dispatched: { request } }: ObservedQuery): boolean =>
    (address === undefined || request.peer.address === address) &&
    isSubdomain(domain, request.name);
  const servers = dns.servers(filter.server);
  return new LineQueue().read(signal, (push) => {
    const stops = servers.map((running) =>
      running.server.observe((query) => {
        if (wanted(query)) push(`${running.name}: ${formatQuery(query)}\n`);
      }),
    );
    return () => {
      for (const stop of stops) stop();
    };
  });
}

/** Lines from whoever writes them to one reader. */
class LineQueue {
  #lines: string[] = [];
  #dropped = 0;
  #wake: (() => void) | undefined;

  readonly #push = (line: string): void => {
    if (this.#lines.length >= MAX_WAITING_LINES) this.#dropped += 1;
    else this.#lines.push(line);
    this.#wake?.();
  };

  /**
   * Starts the writer with the first read and stops it with the signal, or when the reader leaves.
   *
   * @yields what has come since the last time
   */
  async *read(
    signal: AbortSignal,
    start: (push: (line: string) => void) => () => void,
  ): AsyncGenerator<string> {
    const stop = start(this.#push);
    const wake = (): void => this.#wake?.();
    signal.addEventListener('abort', wake);
    try {
      while (!signal.aborted) {
        if (this.#lines.length === 0)
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        yield this.#take();
      }
    } finally {
      signal.removeEventListener('abort', wake);
      stop();
    }
  }

  #take(): string {
    const text = this.#lines.join('');
    const dropped = this.#dropped === 0 ? '' : `(${this.#dropped} queries left out)\n`;
    this.#lines = [];
    this.#dropped = 0;
    return text + dropped;
  }
}
