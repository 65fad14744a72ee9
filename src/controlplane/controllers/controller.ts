import { ApiError } from '../../api/api-error.ts';
import type { Clock } from '../../base/clock.ts';
import { errorMessage } from '../../base/errors.ts';
import { Lifetime, type Resource } from '../../base/lifetime.ts';
import type { Logger } from '../../base/log.ts';
import { WorkQueue } from './work-queue.ts';
import type { WriteTracker } from './write-tracker.ts';

/** When to look at the key again though nothing changed. */
export interface ReconcileResult {
  readonly afterMs?: number;
}

export interface ControllerOptions {
  readonly name: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly writes: WriteTracker;
  /** Subscribes to informers, adding the keys their changes concern; returns how to unsubscribe. */
  readonly watch: (queue: Pick<WorkQueue, 'add' | 'addAfter'>) => readonly (() => void)[];
  /**
   * Brings the world closer to what the object named by `key` asks for, as of now. Idempotent: it may be
   * called at any time, and again after any failure.
   */
  readonly reconcile: (key: string) => Promise<ReconcileResult | undefined>;
}

/**
 * The one controller loop: one key at a time, retried with back-off. Before the next key is taken the
 * informers have seen what the last one wrote, so a controller never acts on a view older than its own deeds.
 */
export function startController(options: ControllerOptions): Resource {
  const { name, clock, logger, writes } = options;
  const lifetime = new Lifetime(`controller ${name}`);
  const queue = new WorkQueue(clock);
  const running = run();
  lifetime.defer(async () => {
    queue.close();
    await running;
  });
  for (const unsubscribe of options.watch(queue)) lifetime.defer(unsubscribe);
  return lifetime;

  async function run(): Promise<void> {
    for (let key = await queue.next(); key !== undefined; key = await queue.next()) {
      try {
        const result = await options.reconcile(key);
        await writes.settle();
        queue.forget(key);
        if (result?.afterMs !== undefined) queue.addAfter(key, result.afterMs);
      } catch (error) {
        await writes.settle();
        queue.retry(key);
        report(key, error);
      } finally {
        queue.done(key);
      }
    }
  }

  function report(key: string, error: unknown): void {
    if (lifetime.ended) return;
    const details = { controller: name, key, error: errorMessage(error) };
    // Someone else was faster: part of the game.
    const expected = error instanceof ApiError && (error.status.code ?? 500) < 500;
    if (expected) logger.debug(details, 'reconcile will be tried again');
    else logger.warn(details, 'reconcile failed; trying again');
  }
}
