// The forwarding thread's entry.
import { parentPort, workerData } from 'node:worker_threads';
import { Forwarder, type ForwarderInput } from './forwarder.ts';
import { MappedMemory } from './mapped-memory.ts';
import { systemClock } from '../../../base/clock.ts';
import { loadLinux } from '../../../base/linux/system-calls.ts';

const input = workerData as ForwarderInput;
const { linux } = new MappedMemory(loadLinux(), input.memory);
const forwarder = new Forwarder(linux, input, systemClock);
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
parentPort?.postMessage('ready');
forwarder.run();
