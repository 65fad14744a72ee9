import { describe } from 'vitest';
import { endings } from './engine/endings.ts';
import type { CreateEngine } from './engine/harness.ts';
import { leaks } from './engine/leaks.ts';
import { listeners } from './engine/listeners.ts';
import { routes } from './engine/routes.ts';
import { standing } from './engine/standing.ts';
import { transfer } from './engine/transfer.ts';

/** What every engine must do with a connection. Run by one test file an engine. */
export function engineConformance(name: string, create: CreateEngine): void {
  describe(`engine ${name}`, () => {
    describe('routes', () => {
      routes(create);
    });
    describe('standing answers', () => {
      standing(create);
    });
    describe('transfer', () => {
      transfer(create);
    });
    describe('endings', () => {
      endings(create);
    });
    describe('listeners', () => {
      listeners(create);
    });
    describe('leaks', () => {
      leaks(create);
    });
  });
}
