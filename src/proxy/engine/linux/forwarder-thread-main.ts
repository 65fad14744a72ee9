// The forwarding thread's entry.
import { parentPort, workerData } from 'node:worker_threads';
import { Forwarder, type ForwarderInput } from './forwarder.ts';
import { loadLinux } from './system-calls.ts';

const forwarder = new Forwarder(loadLinux(), workerData as ForwarderInput);
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
parentPort?.postMessage('ready');
forwarder.run();
