import { Worker } from 'node:worker_threads';
import { EFD_CLOEXEC, EFD_NONBLOCK } from '../../../base/linux/abi.ts';
import { Descriptors } from './descriptors.ts';
import type { BackendName, ForwarderInput } from './forwarder.ts';
import { HEADER, Mailbox, SIDE, SlotTable, TO_WORKER } from './mailbox.ts';
import { MappedMemory } from './mapped-memory.ts';
import { type Linux, systemError } from '../../../base/linux/system-calls.ts';
import { allocateOffers, StandingOffers } from './standing-routes.ts';
import { TcpSockets } from './tcp-sockets.ts';

/**
 * V8 never gives back what its young generation has grown to, 48 MiB unless told otherwise. The thread makes some small
 * objects a connection and none a message, and collecting them more often costs nothing that could be measured.
 */
const YOUNG_GENERATION_MIB = 3;

export interface ForwarderThreadOptions {
  readonly linux: Linux;
  readonly backend: BackendName;
  readonly connectionSlots: number;
  readonly listenerSlots: number;
  /** A message from the thread. */
  onMessage(slot: number, message: number): void;
  /** The thread has died unasked. Descriptors that are not taken back during this call are reset or closed after it. */
  onCrash(error: Error): void;
}

/**
 * The main thread's side of the forwarding thread. Owns the worker, the shared memory and the two eventfds
 * that wake the threads. A worker inside a system call cannot be terminated, so every way out rings its bell.
 */
export class ForwarderThread {
  readonly table: SlotTable;
  readonly firstListenerSlot: number;
  readonly sockets: TcpSockets;
  readonly standing: StandingOffers;
  readonly #outbox: Mailbox;
  readonly #inbox: Mailbox;
  readonly #descriptors: Descriptors;
  readonly #memory: MappedMemory;
  readonly #wakeFd: number;
  readonly #mainFd: number;
  readonly #watcher: { close(): void };
  readonly #ended: Promise<void>;
  readonly #options: ForwarderThreadOptions;
  /** Resolves when the thread runs, or has died instead. */
  readonly ready: Promise<void>;
  #stopping = false;
  #draining = false;
  /** The thread is gone, and with it the memory and the eventfds: nothing may be posted or rung any more. */
  #gone = false;
  #crash: Error | undefined;

  constructor(options: ForwarderThreadOptions) {
    const { connectionSlots, listenerSlots } = options;
    this.#memory = new MappedMemory(options.linux);
    const { linux } = this.#memory;
    const slots = connectionSlots + listenerSlots;
    const shared = SlotTable.allocate(slots);
    const offers = allocateOffers();
    this.#options = options;
    this.table = new SlotTable(shared, slots);
    this.standing = new StandingOffers(this.table, offers);
    this.firstListenerSlot = connectionSlots;
    this.#outbox = new Mailbox(this.table, SIDE.worker);
    this.#inbox = new Mailbox(this.table, SIDE.main);
    this.#descriptors = new Descriptors(linux);
    this.sockets = new TcpSockets(linux);
    this.#wakeFd = this.#eventFd();
    this.#mainFd = this.#eventFd();
    this.#watcher = linux.watch(this.#mainFd, () => this.#drain());
    const worker = startWorker({
      backend: options.backend,
      table: shared,
      descriptors: this.#descriptors.shared,
      memory: this.#memory.shared,
      offers,
      slots,
      firstListenerSlot: connectionSlots,
      wakeFd: this.#wakeFd,
      mainFd: this.#mainFd,
    });
    worker.on('error', (error) => {
      this.#crash = error;
    });
    process.on('exit', this.#stop);
    this.ready = new Promise((resolve) => {
      worker.once('message', () => resolve());
      worker.once('exit', () => resolve());
    });
    this.#ended = new Promise((resolve) => {
      worker.once('exit', () => {
        this.#exited();
        resolve();
      });
    });
  }

  /** Posts and, unless messages are being handled just now, wakes the thread. */
  post(slot: number, message: number): void {
    if (this.#gone) return;
    this.#outbox.post(slot, message);
    if (!this.#draining) this.#ring();
  }

  /** From now on the thread owns this descriptor. */
  give(fd: number): void {
    this.#descriptors.own(fd);
  }

  /** The opposite. */
  takeBack(fd: number): void {
    this.#descriptors.disown(fd);
  }

  /** Takes a connection's accepted socket from the thread, whose slot is free then. */
  take(slot: number, fd: number): number {
    this.#descriptors.disown(fd);
    this.post(slot, TO_WORKER.released);
    return fd;
  }

  /** Sends RST on, or closes, a socket that was taken. */
  reset(fd: number): void {
    this.#descriptors.reset(fd);
  }

  closeSocket(fd: number): void {
    this.#descriptors.close(fd);
  }

  /** Hears now what the thread has said until now. */
  catchUp(): void {
    if (!this.#gone && !this.#draining) this.#listen();
  }

  counter(which: 'acceptErrors' | 'sourcesLost'): number {
    return Atomics.load(this.table.words, HEADER[which]);
  }

  /** Ends the thread, which resets what is left. Idempotent. */
  async stop(): Promise<void> {
    this.#stop();
    await this.#ended;
  }

  #drain(): void {
    this.sockets.clear(this.#mainFd);
    // Before the look: news that come after it ring again.
    Atomics.store(this.table.words, HEADER.mainRung, 0);
    this.#listen();
  }

  #listen(): void {
    const { standing } = this;
    const told = standing.toldEpoch;
    this.#draining = true;
    try {
      this.#inbox.drain(this.#receive);
    } finally {
      this.#draining = false;
    }
    standing.heard(told);
    this.#ring();
  }

  #ring(): void {
    if (this.#outbox.empty) return;
    const sleeping = Atomics.exchange(this.table.words, HEADER.workerSleeps, 0) === 1;
    if (sleeping) this.sockets.signal(this.#wakeFd);
  }

  readonly #receive = (slot: number, message: number): void => {
    this.#options.onMessage(slot, message);
  };

  readonly #stop = (): void => {
    if (this.#gone) return;
    this.#stopping = true;
    Atomics.store(this.table.words, HEADER.stop, 1);
    this.sockets.signal(this.#wakeFd);
  };

  #exited(): void {
    const { calls } = this.#memory.linux;
    process.off('exit', this.#stop);
    if (!this.#stopping) {
      this.#stopping = true;
      // What it said before it died still counts.
      this.#inbox.drain(this.#receive);
      this.#options.onCrash(this.#crash ?? new Error('the forwarding thread has ended'));
      this.#descriptors.resetAll();
    }
    this.#gone = true;
    this.#watcher.close();
    for (const fd of [this.#wakeFd, this.#mainFd]) calls.close(fd);
    this.#memory.release();
  }

  #eventFd(): number {
    const { calls } = this.#memory.linux;
    const fd = calls.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd === -1) throw systemError(calls, 'eventfd');
    return fd;
  }
}

/** From sources, in tests, tsx loads the worker's TypeScript; what is published is JavaScript. */
function startWorker(input: ForwarderInput): Worker {
  // What --import and NODE_OPTIONS load is the main thread's: here it would cost time, and what fails would end the thread.
  const options = {
    workerData: input,
    name: 'podwire-forwarder',
    execArgv: [],
    env: {},
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MIB },
  };
  if (!import.meta.url.endsWith('.ts'))
    return new Worker(new URL('./forwarder-thread-main.js', import.meta.url), options);
  const entry = JSON.stringify(new URL('./forwarder-thread-main.ts', import.meta.url).href);
  const load = `import('tsx/esm/api').then(({ tsImport }) => tsImport(${entry}, ${entry}))`;
  return new Worker(load, { ...options, eval: true });
}
