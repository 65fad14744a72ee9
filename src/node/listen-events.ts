import type { Service } from '../api/types/core.ts';
import type { Logger } from '../base/log.ts';
import type { ListenProblem, ListenPurpose } from '../proxy/listen-problem.ts';
import type { ListenerEvents } from '../proxy/listener-table.ts';

export interface ListenEventsOptions {
  /** Undefined for one that is gone; nothing is recorded of it. */
  readonly service: (name: string, namespace: string) => Service | undefined;
  readonly record: (
    service: Service,
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
  ) => void;
  /** Told of each port that cannot be had, with the remedy. */
  readonly onProblem: (message: string) => void;
  readonly log: Logger;
}

/**
 * Tells of ports that cannot be had, and of those that could after all: as Events on the Services that want them. The
 * one about check ports is kube-proxy's own (pkg/proxy/healthcheck/service_health.go).
 */
export function listenEvents(options: ListenEventsOptions): ListenerEvents {
  const { record, onProblem, log } = options;
  const about = (purpose: ListenPurpose): Service | undefined => {
    const [namespace = '', name = ''] = purpose.service.split('/');
    return options.service(name, namespace);
  };
  return {
    problem(problem) {
      onProblem(problem.message);
      for (const purpose of oneEach(problem.purposes)) {
        const service = about(purpose);
        if (service === undefined) continue;
        if (purpose.kind === 'traffic')
          record(service, 'Warning', 'FailedToListen', problem.message);
        else
          record(
            service,
            'Warning',
            'FailedToStartServiceHealthcheck',
            healthCheckMessage(purpose, problem),
          );
      }
    },
    solved(spot, purposes) {
      const { protocol, address, port } = spot;
      log.info({ address, port }, 'listening after all');
      for (const purpose of oneEach(purposes)) {
        const service = about(purpose);
        const message = `listening on ${address}:${port}/${protocol} for ${purpose.text} after all`;
        if (service !== undefined) record(service, 'Normal', 'Listening', message);
      }
    },
  };
}

function healthCheckMessage(purpose: ListenPurpose, { spot, message }: ListenProblem): string {
  return `node ${spot.address} failed to start healthcheck "${purpose.service}" on port ${spot.port}: ${message}`;
}

/** Nodes of one process want a Service's address for the same reason. */
function oneEach(purposes: readonly ListenPurpose[]): Iterable<ListenPurpose> {
  return new Map(purposes.map((purpose) => [purpose.text, purpose])).values();
}
