import { describe, expect, test } from 'vitest';
import { categorizeEndpoints } from '../../src/services/categorize-endpoints.ts';
import { endpointOf } from '../../src/services/endpoint.ts';
import { endpoint, type State } from './objects.ts';

const HERE = { nodeName: 'here', zone: 'a' };
const CLUSTER = { usesClusterEndpoints: true, usesLocalEndpoints: false };
const LOCAL = { usesClusterEndpoints: false, usesLocalEndpoints: true };
const BOTH = { usesClusterEndpoints: true, usesLocalEndpoints: true };

/** `1:here:ready zone=a,b node=here` */
function parse(text: string) {
  const [head = '', ...hints] = text.split(' ');
  const [last = '', node, state] = head.split(':');
  const names = (prefix: string) =>
    hints
      .filter((hint) => hint.startsWith(prefix))
      .flatMap((hint) => hint.slice(prefix.length).split(','))
      .map((name) => ({ name }));
  const source = endpoint(`10.0.0.${last}`, node, state as State, {
    hints: { forZones: names('zone='), forNodes: names('node=') },
  });
  return endpointOf(source, `10.0.0.${last}`, 80);
}

const last = (endpoints: readonly { address: string }[]) =>
  endpoints.map(({ address }) => address.split('.')[3]).join(' ');

describe('categorizeEndpoints', () => {
  test.each([
    // policy, endpoints, cluster, local, has any, topology
    ['ready ones of all nodes', CLUSTER, ['1:here:ready', '2:far:ready'], '1 2', '', true, 'none'],
    ['no hints, so all', CLUSTER, ['1:far:ready zone=b', '2:far:ready'], '1 2', '', true, 'none'],
    [
      'zone hints',
      CLUSTER,
      ['1:far:ready zone=a', '2:far:ready zone=b'],
      '1',
      '',
      true,
      'same-zone',
    ],
    [
      'several zones',
      CLUSTER,
      ['1:far:ready zone=b,a', '2:far:ready zone=b'],
      '1',
      '',
      true,
      'same-zone',
    ],
    [
      'no hint for our zone',
      CLUSTER,
      ['1:far:ready zone=b', '2:far:ready zone=c'],
      '1 2',
      '',
      true,
      'none',
    ],
    [
      'an unready one without a hint does not matter',
      CLUSTER,
      ['1:far:ready zone=a', '2:far:unready'],
      '1',
      '',
      true,
      'same-zone',
    ],
    [
      'only an unready one in our zone',
      CLUSTER,
      ['1:far:unready zone=a', '2:far:ready zone=b'],
      '2',
      '',
      true,
      'none',
    ],
    [
      'node hints beat zone hints',
      CLUSTER,
      ['1:here:ready zone=a node=here', '2:far:ready zone=a node=far'],
      '1',
      '',
      true,
      'same-node',
    ],
    [
      'no node hint for us, so by zone',
      CLUSTER,
      ['1:far:ready zone=a node=x', '2:far:ready zone=b node=y'],
      '1',
      '',
      true,
      'same-zone',
    ],
    [
      'terminating when nothing is ready, hints ignored',
      CLUSTER,
      ['1:far:terminating zone=b', '2:far:dead zone=a', '3:far:unready'],
      '1',
      '',
      true,
      'none',
    ],
    [
      'one ready endpoint suppresses all terminating',
      CLUSTER,
      ['1:here:terminating', '2:far:ready'],
      '2',
      '',
      true,
      'none',
    ],
    ['nothing usable', CLUSTER, ['1:here:dead', '2:far:unready'], '', '', false, 'none'],
    ['local only', LOCAL, ['1:here:ready', '2:far:ready'], '', '1', true, 'none'],
    ['local only, none here', LOCAL, ['1:far:ready', '2::ready'], '', '', true, 'none'],
    ['local terminating', LOCAL, ['1:here:terminating', '2:far:ready'], '', '1', true, 'none'],
    [
      'local unready is not terminating',
      LOCAL,
      ['1:here:unready', '2:far:ready'],
      '',
      '',
      true,
      'none',
    ],
    [
      'both: local decides on its own',
      BOTH,
      ['1:here:terminating', '2:far:ready'],
      '2',
      '1',
      true,
      'none',
    ],
    [
      'both: hints only for cluster',
      BOTH,
      ['1:here:ready zone=b', '2:far:ready zone=a'],
      '2',
      '1',
      true,
      'same-zone',
    ],
    ['no endpoints', BOTH, [], '', '', false, 'none'],
  ] as const)('%s', (_name, policy, endpoints, cluster, local, hasAny, topologyMode) => {
    const result = categorizeEndpoints(endpoints.map(parse), policy, HERE);
    expect({
      cluster: last(result.cluster),
      local: last(result.local),
      hasAny: result.hasAny,
      topologyMode: result.topologyMode,
    }).toEqual({ cluster, local, hasAny, topologyMode });
  });

  test('a node without a zone uses no zone hints', () => {
    const all = ['1:far:ready zone=', '2:far:ready zone=b'].map(parse);
    expect(categorizeEndpoints(all, CLUSTER, { nodeName: 'here', zone: '' }).topologyMode).toBe(
      'none',
    );
  });
});
