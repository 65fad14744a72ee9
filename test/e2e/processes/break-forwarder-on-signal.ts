// Loaded into a podwire process by `node --import`: SIGUSR2 makes its forwarding thread (engine epoll) die.
import { isMainThread } from 'node:worker_threads';
import { breakForwarder } from '../../support/break-forwarder.ts';

if (isMainThread) process.on('SIGUSR2', () => breakForwarder('epoll'));
