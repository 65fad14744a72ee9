import type { Service } from '../api/types/core.ts';
import { annotationProblem } from '../proxy/modes/per-service-mode.ts';
import { servicePortInfos } from '../services/service-port-info.ts';
import type { ObjectFeed } from './object-feed.ts';

/**
 * Warns on each Service whose podwire.io annotations name no mode or scheduler, whenever the problem changes: its proxy
 * ignores them. Ends with the returned function.
 */
export function recordAnnotationProblems(
  services: ObjectFeed<Service>,
  record: (service: Service, type: 'Warning', reason: string, message: string) => void,
): () => void {
  return services.subscribe((current, previous) => {
    const problem = problemOf(current);
    if (current !== undefined && problem !== undefined && problem !== problemOf(previous))
      record(current, 'Warning', 'InvalidProxyAnnotation', problem);
  });
}

function problemOf(service: Service | undefined): string | undefined {
  const [info] = service === undefined ? [] : servicePortInfos(service);
  return info === undefined ? undefined : annotationProblem(info);
}
