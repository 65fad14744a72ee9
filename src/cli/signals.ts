/** What ends a program that runs until it is told to: Ctrl-C, `kill`, and the terminal that goes away. */
const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

type StopSignal = (typeof STOP_SIGNALS)[number];

/**
 * Resolves with the first of `signals`. `onSecond` runs when another comes while the first is being
 * honoured. `release` gives the signals back to Node.
 */
export function awaitStopSignal(
  onSecond: () => void,
  signals: readonly StopSignal[] = STOP_SIGNALS,
): {
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
  for (const signal of signals) process.on(signal, onSignal);
  return {
    received,
    release: () => {
      for (const signal of signals) process.off(signal, onSignal);
    },
  };
}
