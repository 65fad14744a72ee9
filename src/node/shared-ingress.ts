import type { Clock } from '../base/clock.ts';
import { Lifetime, type Resource } from '../base/lifetime.ts';
import type { Logger } from '../base/log.ts';
import { createEngine, type EngineChoice } from '../proxy/engine/create-engine.ts';
import { Ingress } from '../proxy/ingress.ts';
import type { ListenerEvents } from '../proxy/listener-table.ts';

export {
  ENGINE_CHOICES,
  type EngineChoice,
  MOST_ENGINE_THREADS,
} from '../proxy/engine/create-engine.ts';

export interface SharedIngressOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly engine: EngineChoice;
  readonly engineThreads: number;
  /** Told of ports that cannot be had. They are tried again. */
  readonly events: ListenerEvents;
  /** Told in one line when the engine gives way to a slower one, at the start or because its thread has died. */
  readonly onEngineProblem: (problem: string) => void;
}

/** The sockets that the nodes of one process share, with the engine that moves their bytes. */
export class SharedIngress implements Resource {
  readonly ingress: Ingress;
  readonly #lifetime = new Lifetime('shared ingress');

  constructor(options: SharedIngressOptions) {
    const { clock, log, engine: choice, engineThreads: threads, events, onEngineProblem } = options;
    const engine = this.#lifetime.own(
      createEngine({
        clock,
        choice,
        threads,
        onFallback: (reason) => {
          log.warn({ reason }, 'slower forwarding');
          onEngineProblem(reason);
        },
      }),
    );
    this.ingress = this.#lifetime.own(new Ingress({ engine, clock, events }));
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }
}
