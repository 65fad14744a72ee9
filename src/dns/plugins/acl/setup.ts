import { cidrContains, cidrOf, parseCidr, parseIp, type Cidr } from '../../../base/ip.ts';
import { CorefileError } from '../../corefile/corefile-error.ts';
import type { Token } from '../../corefile/lexer.ts';
import type { Directive } from '../../corefile/parse-corefile.ts';
import { Rcode, RecordType, typeCode } from '../../message/codes.ts';
import { EdnsOptionCode, replyTo, type EdnsOption } from '../../message/message.ts';
import { matchingZone } from '../../message/name.ts';
import type { DnsRequest, Handler, Outcome, Plugin } from '../../plugin/plugin.ts';
import { unknownOption, zoneArguments, type PluginModule } from '../../plugin/setup.ts';

type AclAction = 'allow' | 'block' | 'filter' | 'drop';

interface AclPolicy {
  readonly action: AclAction;
  /** Absent: every type. */
  readonly types?: ReadonlySet<number>;
  /** Absent: every client. */
  readonly networks?: readonly Cidr[];
}

interface AclRule {
  readonly zones: readonly string[];
  readonly policies: readonly AclPolicy[];
}

const ACTIONS = ['allow', 'block', 'filter', 'drop'] as const;

/** RFC 8914: Blocked, Filtered. */
const EXTENDED_ERRORS = { block: 15, filter: 17 } as const;

export const acl: PluginModule = {
  name: 'acl',
  setup(directives, { zones, families, server }) {
    const rules = directives.map((directive) => ruleOf(directive, zones));
    const count = (kind: string, help: string): ((zone: string) => void) => {
      const labels = ['server', 'zone', 'view'];
      const family = families.counter(`coredns_acl_${kind}_requests_total`, help, labels);
      return (zone) => {
        family.of(server, zone, '').value += 1;
      };
    };
    const allowed = families
      .counter('coredns_acl_allowed_requests_total', 'Queries that were let through.', [
        'server',
        'view',
      ])
      .of(server, '');
    const counters = {
      allow: () => {
        allowed.value += 1;
      },
      block: count('blocked', 'Queries that were refused.'),
      filter: count('filtered', 'Queries answered with nothing.'),
      drop: count('dropped', 'Queries left without a reply.'),
    };
    return { plugin: new AclPlugin(rules, counters) };
  },
};

/**
 * Lets queries through by who asks what (plugin/acl). The first policy that fits decides, `allow` too: rules
 * after it are not looked at.
 */
class AclPlugin implements Plugin {
  readonly name = 'acl';
  readonly #rules: readonly AclRule[];
  readonly #counters: Readonly<Record<AclAction, (zone: string) => void>>;

  constructor(
    rules: readonly AclRule[],
    counters: Readonly<Record<AclAction, (zone: string) => void>>,
  ) {
    this.#rules = rules;
    this.#counters = counters;
  }

  serve(request: DnsRequest, next: Handler): Promise<Outcome> {
    for (const { zones, policies } of this.#rules) {
      const zone = matchingZone(zones, request.name);
      if (zone === undefined) continue;
      const action = policies.find((policy) => fits(policy, request))?.action;
      if (action === undefined) continue;
      if (action === 'allow') break;
      this.#counters[action](zone);
      request.trace?.add({ plugin: this.name, what: `${action} by an acl rule for ${zone}` });
      return Promise.resolve(denied(request, action));
    }
    this.#counters.allow(request.zone);
    return next(request);
  }
}

function denied(request: DnsRequest, action: Exclude<AclAction, 'allow'>): Outcome {
  if (action === 'drop') return { kind: 'drop' };
  const info = Buffer.alloc(2);
  info.writeUInt16BE(EXTENDED_ERRORS[action]);
  const option: EdnsOption = { code: EdnsOptionCode.EXTENDED_ERROR, data: info };
  const rcode = action === 'block' ? Rcode.REFUSED : Rcode.NOERROR;
  const edns = { udpBytes: 0, version: 0, dnssecOk: false, options: [option] };
  return { kind: 'reply', message: replyTo(request.message, { rcode, edns }), plugin: 'acl' };
}

function fits(policy: AclPolicy, request: DnsRequest): boolean {
  if (policy.types?.has(request.question.type) === false) return false;
  if (policy.networks === undefined) return true;
  const ip = parseIp(request.peer.address);
  return ip !== undefined && policy.networks.some((network) => cidrContains(network, ip));
}

function ruleOf(directive: Directive, blockZones: readonly string[]): AclRule {
  return {
    zones: zoneArguments(directive.args, blockZones),
    policies: (directive.block ?? []).map(policyOf),
  };
}

/** `ACTION [type TYPE...] [net SOURCE...]`. */
function policyOf({ name, args }: Directive): AclPolicy {
  const action = ACTIONS.find((candidate) => candidate === name.text);
  if (action === undefined) unknownOption('acl', name, ACTIONS);
  const types: number[] = [];
  const networks: Cidr[] = [];
  let section = '';
  let anyType = false;
  let anyNetwork = false;
  for (const token of args) {
    if (token.text === 'type' || token.text === 'net') {
      section = token.text;
    } else if (section === 'type') {
      if (token.text === '*') anyType = true;
      else types.push(typeOf(token));
    } else if (section === 'net') {
      if (token.text === '*') anyNetwork = true;
      else networks.push(networkOf(token));
    } else {
      throw new CorefileError(token, `acl: unexpected '${token.text}'; expected 'type' or 'net'`);
    }
  }
  return {
    action,
    ...(types.length === 0 || anyType ? {} : { types: new Set(types) }),
    ...(networks.length === 0 || anyNetwork ? {} : { networks }),
  };
}

function typeOf(token: Token): number {
  const type = typeCode(token.text);
  if (type === undefined || type === RecordType.OPT)
    throw new CorefileError(token, `'${token.text}' is not a record type such as A or TXT`);
  return type;
}

function networkOf(token: Token): Cidr {
  const ip = parseIp(token.text);
  if (ip !== undefined) return cidrOf(ip, ip.family === 'IPv4' ? 32 : 128);
  const cidr = parseCidr(token.text, { allowHostBits: true });
  if (cidr === undefined)
    throw new CorefileError(
      token,
      `illegal network '${token.text}'; expected an address or a CIDR`,
    );
  return cidr;
}
