import { errorMessage } from '../../base/errors.ts';
import { CorefileError } from '../corefile/corefile-error.ts';
import type { Directive, ServerBlock } from '../corefile/parse-corefile.ts';
import { parseZoneKey, type ZoneKey } from '../corefile/zone-key.ts';
import { Rcode } from '../message/codes.ts';
import type { DnsRequest, Handler, Outcome, Plugin } from '../plugin/plugin.ts';
import type { NamedInstance, PluginInstance, PluginModule, SetupContext } from '../plugin/setup.ts';

/** One server block on one port, ready to answer. */
export interface ZoneServer {
  /** `dns://:53`. */
  readonly server: string;
  readonly zone: string;
  /** Absent when the block has no plugin that answers: everything is refused. */
  readonly handler?: Handler;
  /** Classes other than IN may be asked. */
  readonly anyClass: boolean;
}

/** Everything a Corefile turned into. */
export interface ServerConfig {
  /** By port, then by zone. */
  readonly ports: ReadonlyMap<number, ReadonlyMap<string, ZoneServer>>;
  readonly instances: readonly NamedInstance[];
  /** A plugin wants every query traced. */
  readonly traces: boolean;
  /** Plugins in use, for `coredns_plugin_enabled`. */
  readonly enabled: readonly {
    readonly server: string;
    readonly zone: string;
    readonly name: string;
  }[];
}

/** Plugins that make a server answer classes other than IN, as CoreDNS's EnableChaos. */
const CHAOS_PLUGINS = new Set(['chaos', 'forward']);

/** What every block's plugins share: the context without what depends on the block. */
export type SharedContext = Omit<
  SetupContext,
  'zones' | 'server' | 'port' | 'siblings' | 'everyone'
>;

/** Sets up the plugins of every block. Nothing is started yet. Throws a CorefileError. */
export async function buildConfig(
  blocks: readonly ServerBlock[],
  modules: readonly PluginModule[],
  shared: SharedContext,
): Promise<ServerConfig> {
  const ports = new Map<number, Map<string, ZoneServer>>();
  const instances: NamedInstance[] = [];
  const enabled: { server: string; zone: string; name: string }[] = [];
  try {
    for (const block of blocks) {
      const keys = block.keys.flatMap((key) =>
        parseZoneKey(key.text, key).map((zoneKey) => ({ ...zoneKey, position: key })),
      );
      for (const key of keys) claim(ports, key, key.position);
      const port = keys[0]?.port ?? 0;
      const siblings: NamedInstance[] = [];
      const context: SetupContext = {
        ...shared,
        zones: [...new Set(keys.map(({ zone }) => zone))],
        server: serverLabel(port),
        port,
        siblings: () => siblings,
        everyone: () => instances,
      };
      for await (const named of setUpBlock(block, modules, context)) {
        siblings.push(named);
        instances.push(named);
      }
      const handler = chainOf(siblings.flatMap(({ instance }) => instance.plugin ?? []));
      const anyClass = siblings.some(({ name }) => CHAOS_PLUGINS.has(name));
      for (const key of keys) {
        const server = serverLabel(key.port);
        const { zone } = key;
        const zoneServer = {
          server,
          zone,
          anyClass,
          ...(handler === undefined ? {} : { handler }),
        };
        ports.get(key.port)?.set(zone, zoneServer);
        enabled.push(...siblings.map(({ name }) => ({ server, zone, name })));
      }
    }
  } catch (error) {
    for (const { instance } of instances) await instance.close?.();
    throw error;
  }
  const traces = instances.some(({ instance }) => instance.traces === true);
  return { ports, instances, enabled, traces };
}

function serverLabel(port: number): string {
  return `dns://:${port}`;
}

const CLAIMED: ZoneServer = { server: '', zone: '', anyClass: false };

function claim(
  ports: Map<number, Map<string, ZoneServer>>,
  { zone, port }: ZoneKey,
  position: { readonly file: string; readonly line: number },
): void {
  const zones = ports.get(port) ?? new Map<string, ZoneServer>();
  if (zones.has(zone))
    throw new CorefileError(
      position,
      `cannot serve dns://${zone}:${port} - it is already defined; every zone and port may have one server block`,
    );
  zones.set(zone, CLAIMED);
  ports.set(port, zones);
}

/**
 * In the fixed order, whatever the order in the Corefile.
 *
 * @yields each plugin as soon as it is set up, so that a failure later can close it
 */
async function* setUpBlock(
  block: ServerBlock,
  modules: readonly PluginModule[],
  context: SetupContext,
): AsyncGenerator<NamedInstance> {
  const byName = groupByName(block.directives, modules);
  for (const module of modules) {
    const directives = byName.get(module.name);
    if (directives === undefined) continue;
    yield { name: module.name, instance: await setUp(module, directives, context) };
  }
}

async function setUp(
  module: PluginModule,
  directives: readonly [Directive, ...Directive[]],
  context: SetupContext,
): Promise<PluginInstance> {
  try {
    return await module.setup(directives, context);
  } catch (error) {
    if (error instanceof CorefileError) throw error;
    const problem = `plugin/${module.name}: ${errorMessage(error)}`;
    throw new CorefileError(directives[0].name, problem, { cause: error });
  }
}

function groupByName(
  directives: readonly Directive[],
  modules: readonly PluginModule[],
): Map<string, [Directive, ...Directive[]]> {
  const known = new Set(modules.map(({ name }) => name));
  const groups = new Map<string, [Directive, ...Directive[]]>();
  for (const directive of directives) {
    const { text } = directive.name;
    if (!known.has(text))
      throw new CorefileError(
        directive.name,
        `Unknown directive '${text}'; expected one of ${[...known].toSorted().join(', ')}`,
      );
    const group = groups.get(text);
    if (group === undefined) groups.set(text, [directive]);
    else group.push(directive);
  }
  return groups;
}

/** Links the plugins; after the last one comes SERVFAIL, written by nobody. */
function chainOf(plugins: readonly Plugin[]): Handler | undefined {
  if (plugins.length === 0) return undefined;
  const end: Handler = (request) => {
    request.reuse.refuse();
    const what = 'no plugin answers for this name; names elsewhere need forward';
    request.trace?.add({ plugin: '', what });
    return Promise.resolve<Outcome>({
      kind: 'rcode',
      rcode: Rcode.SERVFAIL,
      error: new Error('no next plugin found'),
    });
  };
  return plugins.reduceRight<Handler>(
    (next, plugin) => (request: DnsRequest) => {
      if (plugin.declaresReuse !== true) request.reuse.refuse();
      return plugin.serve(request, next);
    },
    end,
  );
}
