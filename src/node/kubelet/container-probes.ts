import type { Container, Probe } from '../../api/types/core.ts';
import type { Clock } from '../../base/clock.ts';
import type { ProbeResult } from './probe-handler.ts';
import { Prober } from './prober.ts';

export interface ContainerProbesOptions {
  readonly clock: Clock;
  readonly container: Container;
  readonly run: (probe: Probe, timeoutMs: number) => Promise<ProbeResult>;
  readonly record: (type: 'Warning', reason: string, message: string) => void;
  readonly onChange: (state: { readonly started: boolean; readonly ready: boolean }) => void;
  /** The container is to be restarted. */
  readonly onUnhealthy: (kind: 'startup' | 'liveness', graceSeconds: number | undefined) => void;
}

/**
 * The probes of one running container: startup holds back the other two; without a readiness probe a
 * started container is ready (pkg/kubelet/prober).
 */
export class ContainerProbes {
  readonly #options: ContainerProbesOptions;
  #startup: Prober | undefined;
  #liveness: Prober | undefined;
  #readiness: Prober | undefined;

  constructor(options: ContainerProbesOptions) {
    this.#options = options;
    const { startupProbe } = options.container;
    if (startupProbe === undefined) {
      this.#begin();
      return;
    }
    this.#startup = this.#prober('Startup', startupProbe, (healthy) => {
      this.#startup?.stop();
      if (healthy) this.#begin();
      else options.onUnhealthy('startup', startupProbe.terminationGracePeriodSeconds);
    });
  }

  /** Readiness goes on while a container terminates; liveness must not kill it a second time. */
  stopLiveness(): void {
    this.#startup?.stop();
    this.#liveness?.stop();
  }

  stop(): void {
    this.stopLiveness();
    this.#readiness?.stop();
  }

  #begin(): void {
    const { container, onChange, onUnhealthy } = this.#options;
    const { livenessProbe, readinessProbe } = container;
    if (livenessProbe !== undefined)
      this.#liveness = this.#prober('Liveness', livenessProbe, (healthy) => {
        if (healthy) return;
        this.stop();
        onUnhealthy('liveness', livenessProbe.terminationGracePeriodSeconds);
      });
    onChange({ started: true, ready: readinessProbe === undefined });
    if (readinessProbe === undefined) return;
    let current = false;
    this.#readiness = this.#prober('Readiness', readinessProbe, (ready) => {
      if (ready === current) return;
      current = ready;
      onChange({ started: true, ready });
    });
  }

  #prober(kind: string, probe: Probe, onVerdict: (healthy: boolean) => void): Prober {
    const { clock, run, record } = this.#options;
    return new Prober({
      clock,
      probe,
      run: (timeoutMs) => run(probe, timeoutMs),
      onVerdict,
      onFailure: (message) => record('Warning', 'Unhealthy', `${kind} probe failed: ${message}`),
    });
  }
}
