import { podAddress } from '../scenario/network-plan.ts';
import { type DatagramListener, listenDatagrams } from '../../proxy/udp/datagram-listener.ts';
import { type BackendOptions, type BackendServer, countOpen, serve } from './backend-server.ts';

/** A backend of UDP scenarios. */
export class DatagramBackend implements BackendServer {
  readonly #options: BackendOptions;
  #listener: DatagramListener | undefined;
  #inFlight = 0;
  #stopping = false;

  constructor(options: BackendOptions) {
    this.#options = options;
  }

  async listen(): Promise<void> {
    const { format, index } = this.#options;
    this.#listener = await listenDatagrams(podAddress(index), (listener, message, source) => {
      if (this.#stopping || message.length !== format.requestBytes) return;
      this.#inFlight += 1;
      countOpen(this.#options, 1);
      serve(this.#options, format.requestId(message, 0), (response) => {
        this.#inFlight -= 1;
        countOpen(this.#options, -1);
        listener.send(Buffer.from(response, 'latin1'), source);
        if (this.#stopping && this.#inFlight === 0) void listener.close();
      });
    });
  }

  stop(): void {
    this.#stopping = true;
    if (this.#inFlight === 0) this.kill();
  }

  kill(): void {
    void this.#listener?.close();
  }
}
