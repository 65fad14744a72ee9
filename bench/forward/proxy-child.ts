// A forwarder of ours as a process of its own: node proxy-child.js ENGINE LISTEN_PORT BACKEND_PORT.
// ENGINE is the name of a bare engine, or MODE:ENGINE for a proxy mode, with everything around it, on that engine.
import { systemClock } from '../../src/base/clock.ts';
import { parseCidr } from '../../src/base/ip.ts';
import { seededRandom } from '../../src/base/random.ts';
import { directDialer } from '../../src/proxy/dialer.ts';
import {
  createEngine,
  ENGINE_CHOICES,
  type EngineChoice,
} from '../../src/proxy/engine/create-engine.ts';
import { Ingress } from '../../src/proxy/ingress.ts';
import type { ListenerEvents } from '../../src/proxy/listener-table.ts';
import { isProxyModeName, PROXY_MODES } from '../../src/proxy/modes/mode-table.ts';
import { nodeContext } from '../../src/proxy/node-context.ts';
import { Proxier } from '../../src/proxy/proxier.ts';
import type { ProxyModeName } from '../../src/proxy/proxy-mode.ts';

const ADDRESS = '127.0.0.1';
const [name = 'handle', listenPort = '0', backendPort = '0'] = process.argv.slice(2);
const ports = { listen: Number(listenPort), backend: Number(backendPort) };
const [first = '', second] = name.split(':');
const choice = ENGINE_CHOICES.find((known) => known === (second ?? first));

if (choice === undefined) throw new Error(`no engine is called ${second ?? first}`);
if (isProxyModeName(first)) await serveService(first, choice);
else {
  const engine = createEngine({ clock: systemClock, choice, onFallback: console.error });
  const target = { address: ADDRESS, port: ports.backend };
  const standing = { choices: [target], seed: 1, taken: () => undefined };
  const route = { kind: 'dial', ...target, standing: () => standing } as const;
  await engine.listen({ address: ADDRESS, port: ports.listen, route: () => route });
}
console.log('ready');

/** One Service with one endpoint, seen from a client that is no pod: masqueraded as usual. */
async function serveService(mode: ProxyModeName, engineChoice: EngineChoice): Promise<void> {
  const pods = parseCidr('127.244.0.0/24');
  const loopback = parseCidr('127.0.0.1/32');
  if (pods === undefined || loopback === undefined) throw new Error('constants must parse');
  const context = nodeContext({
    nodeIPs: ['127.18.0.2'],
    loopback: [loopback],
    detectLocal: { mode: 'ClusterCIDR', cidrs: [pods] },
  });
  const events: ListenerEvents = {
    problem: ({ message }) => console.error(message),
    solved: () => {},
  };
  const engine = createEngine({
    clock: systemClock,
    choice: engineChoice,
    onFallback: console.error,
  });
  const ingress = new Ingress({ engine, clock: systemClock, events });
  const proxier = new Proxier({
    nodeName: 'node',
    zone: '',
    mode: PROXY_MODES[mode]({ context, clock: systemClock, random: seededRandom(1) }),
    context,
    podCIDRs: [pods],
    ingress,
    dialer: directDialer,
    clock: systemClock,
  });
  proxier.setService({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'default' },
    spec: { clusterIP: ADDRESS, ports: [{ port: ports.listen, protocol: 'TCP' }] },
  });
  proxier.setSlice({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: 'web-1',
      namespace: 'default',
      labels: { 'kubernetes.io/service-name': 'web' },
    },
    addressType: 'IPv4',
    endpoints: [{ addresses: [ADDRESS], conditions: { ready: true }, nodeName: 'node' }],
    ports: [{ name: '', port: ports.backend, protocol: 'TCP' }],
  });
  proxier.listed('services');
  proxier.listed('slices');
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  await ingress.settled();
}
