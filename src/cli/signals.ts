/**
 * Resolves with the first SIGINT or SIGTERM. `onSecond` runs when another comes while the first is being
 * honoured. `release` gives the signals back to Node.
 */
export function awaitStopSignal(onSecond: () => void): {
  readonly received: Promise<NodeJS.Signals>;
  release(): void;
} {
  let resolve: (signal: NodeJS.Signals) => void = () => undefined;
  const received = new Promise<NodeJS.Signals>((settle) => {
    resolve = settle;
  });
  let count = 0;
  const onSignal = (signal: NodeJS.Signals): void => {
    count += 1;
    if (count === 1) resolve(signal);
    else onSecond();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return {
    received,
    release: () => {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    },
  };
}
