import type { StackDriver } from './stack-driver.ts';

/** Datagrams between two ends. */
export interface DatagramChannel {
  /** Sends, or drops when it cannot. */
  send(message: Uint8Array): void;
  /** Idempotent; nothing is received afterwards. */
  close(): void;
}

/** A channel through the stack, from any free port of `source`. Undefined when no port is free. */
export function openChannel(
  driver: StackDriver,
  target: { readonly source: number; readonly address: number; readonly port: number },
  receive: (message: Uint8Array) => void,
): DatagramChannel | undefined {
  const { source, address, port } = target;
  const socket = driver.stack.udp.bind(
    { address: source, port: 0 },
    {
      // Connected, as it were: only the endpoint is heard.
      datagram: ({ payload, remoteAddress, remotePort }) => {
        if (remoteAddress === address && remotePort === port) receive(payload);
      },
    },
  );
  if (socket === undefined) return undefined;
  return {
    send(message) {
      socket.send(driver.now(), { address, port }, message);
      driver.wake();
    },
    close: () => socket.close(),
  };
}
