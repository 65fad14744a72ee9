import { describe, expect, test } from 'vitest';
import { ManualClock } from '../../../src/base/clock.ts';
import { seededRandom } from '../../../src/base/random.ts';
import { IpvsMode } from '../../../src/proxy/modes/ipvs-mode.ts';
import { annotationProblem, PerServiceMode } from '../../../src/proxy/modes/per-service-mode.ts';
import { nodeContext } from '../../../src/proxy/node-context.ts';
import { RoutingState } from '../../../src/services/routing-state.ts';
import { servicePortInfos } from '../../../src/services/service-port-info.ts';
import { endpoint, service, slice } from '../../services/objects.ts';

function annotated(mode: string) {
  return { annotations: { 'podwire.io/proxy-mode': mode } };
}

const flowTo = (address: string) => ({
  protocol: 'TCP' as const,
  source: { address: '10.244.1.9', port: 40_000 },
  destination: { address, port: 80 },
});

describe('PerServiceMode', () => {
  test('asks each Service’s own mode, and changes with the annotation', async () => {
    const state = new RoutingState({ nodeName: 'node-1', zone: '' });
    await using mode = new PerServiceMode('iptables', {
      context: nodeContext({ nodeIPs: ['192.168.0.2'] }),
      clock: new ManualClock(),
      random: seededRandom('mix'),
    });
    const names = ['plain', 'relayed', 'virtual'];
    for (const [index, name] of names.entries()) {
      const override = ['', 'userspace', 'ipvs'][index] ?? '';
      state.setService(
        service({
          name,
          clusterIP: `10.96.0.${index + 1}`,
          ...(override === '' ? {} : annotated(override)),
        }),
      );
      state.setSlice(slice([endpoint('10.244.1.1', 'node-1')], { service: name }));
    }
    mode.update(state.build().table);
    const decide = (address: string) => mode.decide(flowTo(address));
    expect(decide('10.96.0.1')).not.toHaveProperty('relay');
    expect(decide('10.96.0.2')).toHaveProperty('relay');
    expect(decide('10.96.0.3')).toHaveProperty('binding');

    const ipvs = mode.modeNamed('ipvs');
    const services = () => (ipvs instanceof IpvsMode ? ipvs.director.listServices() : []);
    expect(services().map(({ id }) => (id.kind === 'address' ? id.address : ''))).toEqual([
      '10.96.0.3',
    ]);
    state.setService(service({ name: 'virtual', clusterIP: '10.96.0.3' }));
    mode.update(state.build().table);
    expect(services()).toEqual([]);
    expect(decide('10.96.0.3')).not.toHaveProperty('binding');
  });

  test.each([
    [annotated('iptables'), 'fine'],
    [annotated('kernelspace'), 'podwire.io/proxy-mode: "kernelspace" is no proxy mode'],
    [{ annotations: { 'podwire.io/ipvs-scheduler': 'wlc' } }, 'fine'],
    [{ annotations: { 'podwire.io/ipvs-scheduler': 'best' } }, 'scheduler "best" is unknown'],
    [{ annotations: { 'podwire.io/ipvs-scheduler': 'sh,sh-portt' } }, 'flag "sh-portt" is unknown'],
  ])('%j: %s', (shape, problem) => {
    const problems = servicePortInfos(service(shape)).map(annotationProblem);
    expect(problems.map((found) => found ?? 'fine')).toEqual([expect.stringContaining(problem)]);
  });
});
