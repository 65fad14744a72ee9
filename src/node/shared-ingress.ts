import type { Clock } from '../base/clock.ts';
import { Lifetime, type Resource } from '../base/lifetime.ts';
import type { Logger } from '../base/log.ts';
import { createEngine, type EngineChoice } from '../proxy/engine/create-engine.ts';
import { Ingress } from '../proxy/ingress.ts';

export { ENGINE_CHOICES, type EngineChoice } from '../proxy/engine/create-engine.ts';

export interface SharedIngressOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly engine: EngineChoice;
  /** Told of a port that cannot be had, with the remedy. It is tried again. */
  readonly onProblem: (message: string) => void;
}

/** The sockets that the nodes of one process share, with the engine that moves their bytes. */
export class SharedIngress implements Resource {
  readonly ingress: Ingress;
  readonly #lifetime = new Lifetime('shared ingress');

  constructor({ clock, log, engine: choice, onProblem }: SharedIngressOptions) {
    const engine = this.#lifetime.own(
      createEngine({
        clock,
        choice,
        onFallback: (reason) => log.warn({ reason }, 'slower forwarding'),
      }),
    );
    this.ingress = this.#lifetime.own(
      new Ingress({
        engine,
        clock,
        events: {
          problem: ({ message }) => onProblem(message),
          solved: ({ address, port }) => log.info({ address, port }, 'listening after all'),
        },
      }),
    );
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }
}
