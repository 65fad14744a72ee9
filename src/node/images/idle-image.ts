import type { BuiltinImage } from './image.ts';

/** Listens nowhere and runs until it is stopped. */
export const idle: BuiltinImage = {
  summary: 'runs and does nothing',
  start: () =>
    Promise.resolve({
      close: () => Promise.resolve(),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }),
};
