import { CorefileError } from '../../corefile/corefile-error.ts';
import type { Directive } from '../../corefile/parse-corefile.ts';
import {
  fallthroughArgument,
  integerArgument,
  noArguments,
  once,
  oneArgument,
  unknownOption,
  zoneArguments,
  type Fallthrough,
  type PluginModule,
  type SetupContext,
} from '../../plugin/setup.ts';
import type { KeyValueAddress } from '../../plugin/key-value.ts';
import { defaultForwardOptions } from '../forward/options.ts';
import { ForwardPlugin } from '../forward/forward.ts';
import { Upstream } from '../forward/upstream.ts';
import { EtcdPlugin } from './etcd.ts';
import { STUB_LOOP_OPTION, StubZones, type StubExchange } from './stub-zones.ts';

const DEFAULT_ENDPOINT = 'http://localhost:2379';
const DEFAULT_PREFIX = 'skydns';
const DEFAULT_MIN_LEASE_SECONDS = 30;
const DEFAULT_MAX_LEASE_SECONDS = 86_400;
const OPTIONS = [
  'stubzones',
  'fallthrough',
  'path',
  'endpoint',
  'credentials',
  'tls',
  'min-lease-ttl',
  'max-lease-ttl',
];

export const etcd: PluginModule = {
  name: 'etcd',
  async setup(directives, context) {
    const directive = once(directives);
    const { connectEtcd, clock, files, log } = context;
    if (connectEtcd === undefined)
      throw new CorefileError(directive.name, 'plugin/etcd: this server has no etcd client');
    const settings = settingsOf(directive);
    const [ca, cert, key] = await Promise.all(settings.tlsFiles.map((path) => files.read(path)));
    const address: KeyValueAddress = {
      endpoints: settings.endpoints.length > 0 ? settings.endpoints : [DEFAULT_ENDPOINT],
      ...(settings.credentials === undefined ? {} : { credentials: settings.credentials }),
      ...(ca === undefined
        ? {}
        : {
            tls: {
              ca,
              ...(cert === undefined ? {} : { cert }),
              ...(key === undefined ? {} : { key }),
            },
          }),
    };
    const zones = zoneArguments(directive.args, context.zones);
    const store = connectEtcd(address);
    const stubs = settings.stubZones ? new StubZones(stubExchange(context), clock, log) : undefined;
    const { prefix, minLeaseSeconds, maxLeaseSeconds, fallthrough } = settings;
    const options = { zones, layout: { prefix, minLeaseSeconds, maxLeaseSeconds }, fallthrough };
    return {
      plugin: new EtcdPlugin(options, store, () => Math.floor(clock.wallNow() / 1000), stubs),
      async start() {
        await stubs?.follow(store, zones, prefix);
      },
      async close() {
        stubs?.close();
        await store.close();
      },
    };
  },
};

interface EtcdSettings {
  stubZones: boolean;
  fallthrough: Fallthrough | undefined;
  prefix: string;
  endpoints: string[];
  credentials: { username: string; password: string } | undefined;
  tlsFiles: string[];
  minLeaseSeconds: number;
  maxLeaseSeconds: number;
}

function settingsOf(directive: Directive): EtcdSettings {
  const settings: EtcdSettings = {
    stubZones: false,
    fallthrough: undefined,
    prefix: DEFAULT_PREFIX,
    endpoints: [],
    credentials: undefined,
    tlsFiles: [],
    minLeaseSeconds: DEFAULT_MIN_LEASE_SECONDS,
    maxLeaseSeconds: DEFAULT_MAX_LEASE_SECONDS,
  };
  for (const option of directive.block ?? []) applyOption(settings, option);
  return settings;
}

function applyOption(settings: EtcdSettings, option: Directive): void {
  const { name, args } = option;
  switch (name.text) {
    case 'stubzones':
      noArguments(option);
      settings.stubZones = true;
      break;
    case 'fallthrough':
      settings.fallthrough = fallthroughArgument(option);
      break;
    case 'path':
      settings.prefix = oneArgument(option, 'a path such as /skydns').text.replace(
        /^\/+|\/+$/g,
        '',
      );
      break;
    case 'endpoint':
      settings.endpoints = args.map(({ text }) => text);
      break;
    case 'credentials': {
      const [username, password] = args;
      if (username === undefined || password === undefined)
        throw new CorefileError(name, 'credentials needs a user name and a password');
      settings.credentials = { username: username.text, password: password.text };
      break;
    }
    case 'tls':
      settings.tlsFiles = args.map(({ text }) => text);
      break;
    case 'min-lease-ttl':
    case 'max-lease-ttl': {
      const token = oneArgument(option, 'seconds');
      const seconds = integerArgument({ ...token, text: token.text.replace(/s$/, '') }, name.text, {
        min: 0,
        max: 2 ** 31 - 1,
      });
      if (name.text === 'min-lease-ttl') settings.minLeaseSeconds = seconds;
      else settings.maxLeaseSeconds = seconds;
      break;
    }
    default:
      unknownOption('etcd', name, OPTIONS);
  }
}

/** Forwards with the options of `forward` at their defaults; upstreams are made when first needed. */
function stubExchange(context: SetupContext): StubExchange {
  const { clock, random, families, upstreamFailure } = context;
  const services = { clock, random: random.fork('stub'), families, upstreamFailure };
  const plugins = new Map<string, ForwardPlugin>();
  const upstreams: Upstream[] = [];
  return {
    ask(request, servers) {
      const key = servers.map(({ address, port }) => `${address}:${port}`).join(' ');
      let plugin = plugins.get(key);
      if (plugin === undefined) {
        const options = defaultForwardOptions('.', servers);
        const own = servers.map((to) => new Upstream(to, options, services));
        upstreams.push(...own);
        plugin = new ForwardPlugin(options, own, { ...services, isFollowed: false });
        plugins.set(key, plugin);
      }
      const { edns } = request.message;
      const marked = {
        udpBytes: edns?.udpBytes ?? 4096,
        version: 0,
        dnssecOk: edns?.dnssecOk ?? false,
        options: [...(edns?.options ?? []), STUB_LOOP_OPTION],
      };
      const message = { ...request.message, edns: marked };
      return plugin.serve({ ...request, message }, () => Promise.resolve({ kind: 'drop' }));
    },
    close() {
      for (const upstream of upstreams) upstream.close();
    },
  };
}
