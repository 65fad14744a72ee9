import { errorMessage } from '../../base/errors.ts';
import { CorefileError } from '../corefile/corefile-error.ts';
import type { Directive, ServerBlock } from '../corefile/parse-corefile.ts';
import { parseZoneKey, type ZoneKey } from '../corefile/zone-key.ts';
import { Rcode } from '../message/codes.ts';
import type { DnsRequest, Handler, Outcome, Plugin } from '../plugin/plugin.ts';
import type {
  DnsEnvironment,
  PluginInstance,
  PluginModule,
  SetupContext,
} from '../plugin/setup.ts';

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
  readonly instances: readonly PluginInstance[];
  /** Plugins in use, for `coredns_plugin_enabled`. */
  readonly enabled: readonly {
    readonly server: string;
    readonly zone: string;
    readonly name: string;
  }[];
}

/** Plugins that make a server answer classes other than IN, as CoreDNS's EnableChaos. */
const CHAOS_PLUGINS = new Set(['chaos', 'forward']);

/** Sets up the plugins of every block. Nothing is started yet. Throws a CorefileError. */
export async function buildConfig(
  blocks: readonly ServerBlock[],
  modules: readonly PluginModule[],
  environment: DnsEnvironment,
): Promise<ServerConfig> {
  const ports = new Map<number, Map<string, ZoneServer>>();
  const instances: PluginInstance[] = [];
  const enabled: { server: string; zone: string; name: string }[] = [];
  for (const block of blocks) {
    const keys = block.keys.flatMap((key) =>
      parseZoneKey(key.text, key).map((zoneKey) => ({ ...zoneKey, position: key })),
    );
    for (const key of keys) claim(ports, key, key.position);
    const firstPort = keys[0]?.port ?? 0;
    const context: SetupContext = {
      ...environment,
      zones: [...new Set(keys.map(({ zone }) => zone))],
      server: serverLabel(firstPort),
    };
    const built = await buildBlock(block, modules, context);
    instances.push(...built.instances);
    const handler = chainOf(built.plugins);
    const anyClass = built.names.some((name) => CHAOS_PLUGINS.has(name));
    for (const { zone, port } of keys) {
      const server = serverLabel(port);
      ports.get(port)?.set(zone, {
        server,
        zone,
        anyClass,
        ...(handler === undefined ? {} : { handler }),
      });
      enabled.push(...built.names.map((name) => ({ server, zone, name })));
    }
  }
  return { ports, instances, enabled };
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

interface BuiltBlock {
  readonly instances: readonly PluginInstance[];
  readonly plugins: readonly Plugin[];
  readonly names: readonly string[];
}

async function buildBlock(
  block: ServerBlock,
  modules: readonly PluginModule[],
  context: SetupContext,
): Promise<BuiltBlock> {
  const byName = groupByName(block.directives, modules);
  const instances: PluginInstance[] = [];
  const names: string[] = [];
  for (const module of modules) {
    const directives = byName.get(module.name);
    if (directives === undefined) continue;
    names.push(module.name);
    instances.push(await setUp(module, directives, context));
  }
  const plugins = instances.flatMap(({ plugin }) => plugin ?? []);
  return { instances, plugins, names };
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
