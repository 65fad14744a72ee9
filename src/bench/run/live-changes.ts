import type { EligibleBackend } from '../algorithms/balancer.ts';
import type { BackendFarm } from '../live/backend-farm.ts';
import type { ProxyUnderTest } from '../live/proxy-under-test.ts';
import { podAddress } from '../scenario/network-plan.ts';
import type { Plan, PlannedAction } from '../scenario/plan.ts';
import type { Recorder } from '../stats/recorder.ts';

/** Carries out what the plan says, on real backends and a real proxy. */
export class LiveChanges {
  readonly #plan: Plan;
  readonly #farm: BackendFarm;
  readonly #proxy: ProxyUnderTest;
  readonly #recorder: Recorder;
  readonly #alive = new Set<number>();
  readonly #eligible = new Set<number>();
  readonly #weights: number[];
  #pending: Promise<void> = Promise.resolve();

  constructor(plan: Plan, farm: BackendFarm, proxy: ProxyUnderTest, recorder: Recorder) {
    this.#plan = plan;
    this.#farm = farm;
    this.#proxy = proxy;
    this.#recorder = recorder;
    this.#weights = plan.backends.map(({ weight }) => weight);
  }

  isAlive(backend: number): boolean {
    return this.#alive.has(backend);
  }

  /** The state at 0; its backends run already. */
  async begin(): Promise<void> {
    for (const { kind, atMs, backend } of this.#plan.actions) {
      if (atMs > 0) continue;
      if (kind === 'start') this.#alive.add(backend);
      if (kind === 'announce') this.#eligible.add(backend);
    }
    await this.#proxy.update(this.#view());
  }

  carryOut(action: PlannedAction): void {
    const { backend } = action;
    switch (action.kind) {
      case 'start':
        this.#alive.add(backend);
        this.#then(() => this.#farm.start(backend));
        return;
      case 'announce':
        this.#eligible.add(backend);
        break;
      case 'withdraw':
        this.#eligible.delete(backend);
        break;
      case 'weight':
        this.#weights[backend] = action.weight;
        break;
      case 'stop':
      case 'kill':
        this.#alive.delete(backend);
        this.#farm[action.kind](backend);
        return;
    }
    const view = this.#view();
    this.#recorder.backendsChanged();
    this.#then(() => this.#proxy.update(view));
  }

  /** Rejects with the first thing that went wrong. */
  settled(): Promise<void> {
    return this.#pending;
  }

  /** One after the other: a backend is announced only when it listens. */
  #then(step: () => Promise<void>): void {
    this.#pending = this.#pending.then(step);
    // Told by settled(), at the end of the run.
    this.#pending.catch(() => {});
  }

  #view(): EligibleBackend[][] {
    const { nodes, externalTrafficPolicy } = this.#plan.scenario;
    const local = externalTrafficPolicy === 'Local';
    return Array.from({ length: nodes }, (_, node) =>
      this.#plan.backends
        .filter(({ index, node: home }) => this.#eligible.has(index) && (!local || home === node))
        .map(({ index }) => ({ index, weight: this.#weights[index] ?? 0, ...podAddress(index) })),
    );
  }
}
