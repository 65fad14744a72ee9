import { CorefileError } from '../../corefile/corefile-error.ts';
import { Rcode, RecordType } from '../../message/codes.ts';
import { nameRecord, type DnsMessage } from '../../message/message.ts';
import { foldName, fullyQualified, isSubdomain, matchingZone } from '../../message/name.ts';
import type { DnsRequest, Handler, Outcome, Plugin } from '../../plugin/plugin.ts';
import { once, zoneArguments, type NamedInstance, type PluginModule } from '../../plugin/setup.ts';

const DEFAULT_RESOLV_CONF = '/etc/resolv.conf';

type SearchPath = (request: DnsRequest) => readonly string[] | undefined;

export const autopath: PluginModule = {
  name: 'autopath',
  async setup(directives, { zones: blockZones, files, siblings, families, server }) {
    const directive = once(directives);
    const last = directive.args.at(-1);
    if (last === undefined)
      throw new CorefileError(directive.name, 'autopath needs a resolv.conf file or @kubernetes');
    const zones = zoneArguments(directive.args.slice(0, -1), blockZones);
    const success = families
      .counter('coredns_autopath_success_total', 'Names completed for the client.', ['server'])
      .of(server);
    let searchPath: SearchPath;
    if (last.text.startsWith('@')) {
      const host = await hostSearch(DEFAULT_RESOLV_CONF, files);
      searchPath = fromPlugin(last.text.slice(1), siblings, host);
    } else {
      const fixed = await hostSearch(last.text, files);
      if (fixed.length === 0)
        throw new CorefileError(last, `no search domains found in '${last.text}'`);
      searchPath = () => [...fixed, ''];
    }
    return {
      plugin: new AutopathPlugin(zones, searchPath, () => {
        success.value += 1;
      }),
    };
  },
};

/** Walks the client's search path on the server, saving it a query for every domain. */
class AutopathPlugin implements Plugin {
  readonly name = 'autopath';
  readonly #zones: readonly string[];
  readonly #searchPath: SearchPath;
  readonly #onSuccess: () => void;

  constructor(zones: readonly string[], searchPath: SearchPath, onSuccess: () => void) {
    this.#zones = zones;
    this.#searchPath = searchPath;
    this.#onSuccess = onSuccess;
  }

  async serve(request: DnsRequest, next: Handler): Promise<Outcome> {
    if (matchingZone(this.#zones, request.name) === undefined) return next(request);
    const domains = this.#searchPath(request);
    const [first] = domains ?? [];
    // Only the first name of a walk gives away that there is one.
    if (domains === undefined || first === undefined || !isFirstInPath(request.name, first))
      return next(request);
    return this.#walk(request, next, domains);
  }

  async #walk(request: DnsRequest, next: Handler, domains: readonly string[]): Promise<Outcome> {
    const original = request.question.name;
    const base = original.slice(0, original.length - (domains[0]?.length ?? 0) - 1);
    let firstOutcome: Outcome | undefined;
    for (const domain of domains) {
      const name = domain === '' ? fullyQualified(base) : `${base}.${domain}`;
      const question = { ...request.question, name };
      const outcome = await next({
        ...request,
        question,
        name: foldName(name),
        message: { ...request.message, questions: [question] },
      });
      firstOutcome ??= outcome;
      if (outcome.kind !== 'reply' || outcome.message.rcode === Rcode.NXDOMAIN) continue;
      this.#onSuccess();
      request.trace?.add({ plugin: this.name, what: `completed ${original} to ${name}` });
      return { ...outcome, message: renamed(outcome.message, request, name) };
    }
    return restored(firstOutcome ?? { kind: 'rcode', rcode: Rcode.SERVFAIL }, request);
  }
}

function isFirstInPath(name: string, first: string): boolean {
  return name !== foldName(first) && isSubdomain(foldName(first), name);
}

/** The reply under the name the client asked for, with a CNAME to the name that was found. */
function renamed(reply: DnsMessage, request: DnsRequest, found: string): DnsMessage {
  const questions = [request.question];
  const [first] = reply.answers;
  if (foldName(found) === request.name || first === undefined) return { ...reply, questions };
  const cname = nameRecord(request.question.name, RecordType.CNAME, first.ttlSeconds, found);
  return { ...reply, questions, answers: [cname, ...reply.answers] };
}

function restored(outcome: Outcome, request: DnsRequest): Outcome {
  if (outcome.kind !== 'reply') return outcome;
  return { ...outcome, message: { ...outcome.message, questions: [request.question] } };
}

function fromPlugin(
  plugin: string,
  siblings: () => readonly NamedInstance[],
  hostDomains: readonly string[],
): SearchPath {
  return (request) => {
    const source = siblings().find(({ name }) => name === plugin)?.instance.searchPaths;
    const own = source?.searchPath(request.peer.address, request.name);
    return own === undefined ? undefined : [...own, ...hostDomains, ''];
  };
}

/** The search list of a resolv.conf; the last line wins. None when there is no such file. */
async function hostSearch(
  path: string,
  files: { read(path: string): Promise<string> },
): Promise<string[]> {
  const text = await files.read(path).catch(() => '');
  const last = [...text.matchAll(/^\s*search\s+(.*)$/gm)].at(-1)?.[1] ?? '';
  return last
    .split(/\s+/)
    .filter((domain) => domain !== '')
    .map((domain) => fullyQualified(domain));
}
