import type { ServicePort } from '../../services/routing-table.ts';
import type { Trace } from '../flow.ts';

/** Says which endpoints are in question and why those. */
export function traceCategory(
  servicePort: ServicePort,
  scope: 'cluster' | 'local',
  trace: Trace,
): void {
  const { categories, endpoints } = servicePort;
  const terminating =
    scope === 'local' ? categories.localTerminating : categories.clusterTerminating;
  trace.step(`${scope} endpoints`, {
    usable: categories[scope].length,
    known: endpoints.length,
    ...(scope === 'cluster' && categories.topologyMode !== 'none'
      ? { topology: categories.topologyMode }
      : {}),
    ...(terminating ? { fallback: 'none is ready: serving terminating ones are used' } : {}),
  });
}
