import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { EAGAIN, MSG_DONTWAIT, SHUT_WR, SOL_SOCKET } from '../../../../src/base/linux/abi.ts';
import { probeLinux } from '../../../../src/base/linux/probe.ts';
import { encodeSockaddr } from '../../../../src/base/linux/sockaddr.ts';
import type { Mapping } from '../../../../src/base/linux/system-calls.ts';
import { BUFFER_BYTES, BufferPool } from '../../../../src/proxy/engine/linux/buffer-pool.ts';
import { Descriptors } from '../../../../src/proxy/engine/linux/descriptors.ts';
import { MappedMemory } from '../../../../src/proxy/engine/linux/mapped-memory.ts';
import { PipePool } from '../../../../src/proxy/engine/linux/pipe-pool.ts';
import { Ring } from '../../../../src/proxy/engine/linux/ring.ts';
import {
  IGNORED_KEY,
  RingDirection,
  SMALL_BYTES,
} from '../../../../src/proxy/engine/linux/ring-direction.ts';
import { ringRefusal } from '../../../../src/proxy/engine/linux/ring-probe.ts';
import { TcpSockets } from '../../../../src/proxy/engine/linux/tcp-sockets.ts';
import { OUTCOME, type Outcome } from '../../../../src/proxy/engine/linux/way.ts';

const probe = probeLinux();
const refusal = probe.kind === 'refused' ? probe.reason : ringRefusal(probe.linux);
const GENERATION = 0x7fff_fff0;
// include/uapi/asm-generic/socket.h
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;

describe.skipIf(refusal !== undefined)(`a direction over a ring (${refusal ?? 'allowed'})`, () => {
  if (probe.kind === 'refused') return;
  const { calls } = probe.linux;
  let memory: MappedMemory;
  let descriptors: Descriptors;
  let sockets: TcpSockets;
  let ring: Ring;
  let direction: RingDirection;
  let buffer: Mapping;
  /** The far ends: what is written to one is to be read from the other. */
  let source: number;
  let sink: number;
  let smallLent: () => number;
  let bigLent: () => number;

  beforeEach(() => {
    memory = new MappedMemory(probe.linux);
    const { linux } = memory;
    descriptors = new Descriptors(linux);
    sockets = new TcpSockets(linux);
    ring = new Ring(linux, descriptors);
    buffer = linux.map(BUFFER_BYTES);
    const buffers = new BufferPool(linux, BUFFER_BYTES);
    const smallBuffers = new BufferPool(linux, SMALL_BYTES);
    smallLent = lent(smallBuffers);
    bigLent = lent(buffers);
    const pipes = new PipePool(linux, descriptors);
    const scratch = linux.map(BUFFER_BYTES).address;
    const tools = { calls, ring, pipes, buffers, smallBuffers, scratch };
    const [from, to] = [tcpPair(), tcpPair()];
    source = from.far;
    sink = to.far;
    direction = new RingDirection(tools, from.near, to.near, 0, GENERATION);
    direction.start(false);
  });

  afterEach(() => {
    descriptors.resetAll();
    memory.release();
  });

  /** A connection with itself. */
  function tcpPair(): { near: number; far: number } {
    const bytes = new Uint8Array(sockets.sockaddr.buffer);
    const own = (fd: number): number => (expect(fd).toBeGreaterThan(0), descriptors.own(fd));
    encodeSockaddr({ address: '127.0.0.1', port: 0 }, bytes);
    const listener = own(sockets.open());
    const far = own(sockets.open());
    expect(sockets.bind(listener)).toBe(0);
    expect(sockets.listen(listener, 1)).toBe(0);
    expect(sockets.localAddress(listener)).toBe(0);
    expect(sockets.connect(far)).toBe(0);
    let near = sockets.accept(listener);
    while (near === -EAGAIN) near = sockets.accept(listener);
    descriptors.close(listener);
    return { near: own(near), far };
  }

  function lent(pool: BufferPool): () => number {
    const taken = vi.spyOn(pool, 'take');
    const returned = vi.spyOn(pool, 'giveBack');
    return () => taken.mock.calls.length - returned.mock.calls.length;
  }

  /** Handles completions until `done`, and returns what the last one came to. */
  function runUntil(done: () => boolean): Outcome | undefined {
    let outcome: Outcome | undefined;
    while (!done()) {
      ring.submitAndWait(1);
      outcome = complete() ?? outcome;
    }
    return outcome;
  }

  function complete(): Outcome | undefined {
    let outcome: Outcome | undefined;
    ring.drain(({ key, generation, result, flags }) => {
      if (key === IGNORED_KEY) return;
      expect(generation).toBe(GENERATION);
      outcome = direction.completed(key >> 1, result, flags, false);
    });
    return outcome;
  }

  /** What may wait in the socket: room for many small messages, and for a segment of the loopback. */
  function limitQueues(fd: number): void {
    new Int32Array(buffer.buffer)[0] = 131_072;
    for (const option of [SO_SNDBUF, SO_RCVBUF])
      expect(calls.setsockopt(fd, SOL_SOCKET, option, buffer.address, 4)).toBe(0);
  }

  function send(text: string): void {
    new Uint8Array(buffer.buffer).set(Buffer.from(text));
    expect(calls.send(source, buffer.address, text.length, 0)).toBe(text.length);
  }

  /** What has come to the sink; undefined: nothing yet. */
  function receive(): string | undefined {
    const length = calls.recv(sink, buffer.address, BUFFER_BYTES, MSG_DONTWAIT);
    return length < 0 ? undefined : Buffer.from(buffer.buffer, 0, length).toString();
  }

  function expectArrival(text: string): void {
    let arrived = '';
    runUntil(() => (arrived += receive() ?? '').length >= text.length);
    expect(arrived).toBe(text);
  }

  function rest(): void {
    direction.restIfSilent();
    expect(direction.restIfSilent()).toBe(true);
    runUntil(() => smallLent() === 0);
  }

  test('what has been silent since it was asked last gives its buffer back', () => {
    expect(smallLent()).toBe(1);
    rest();
    expect(direction.restIfSilent()).toBe(false);
    expect(direction.inFlight).toBe(true);
  });

  test('what has said something meanwhile keeps it', () => {
    direction.restIfSilent();
    send('hello');
    expectArrival('hello');
    expect(direction.restIfSilent()).toBe(true);
    send('again');
    expectArrival('again');
    expect(smallLent()).toBe(1);
  });

  test('bytes wake it, as often as it rests', () => {
    for (const text of ['one', 'two', 'three']) {
      rest();
      send(text);
      expectArrival(text);
      expect(smallLent()).toBe(1);
    }
    expect(direction.bytes).toBe('onetwothree'.length);
  });

  test('bytes that meet the cancelling are not lost', () => {
    direction.restIfSilent();
    send('just now');
    direction.restIfSilent();
    expectArrival('just now');
  });

  test('a big buffer goes back too', () => {
    send('x'.repeat(SMALL_BYTES));
    expectArrival('x'.repeat(SMALL_BYTES));
    expect(bigLent()).toBe(1);
    rest();
    expect(bigLent()).toBe(0);
  });

  test('what has passed FIN on holds no buffer, nor asks for another round', () => {
    calls.shutdown(source, SHUT_WR);
    runUntil(() => direction.finished);
    expect([smallLent(), direction.restIfSilent()]).toEqual([0, false]);
    direction.release();
    expect(smallLent()).toBe(0);
  });

  test('FIN is passed on while it rests', () => {
    rest();
    calls.shutdown(source, SHUT_WR);
    expect(runUntil(() => direction.finished)).toBe(OUTCOME.idle);
    runUntil(() => receive() === '');
  });

  test('a reset while it rests is found', () => {
    rest();
    let outcome: Outcome | undefined;
    descriptors.abort(source);
    while (outcome !== OUTCOME.sourceBroken) outcome = runUntil(() => !direction.inFlight);
    expect(outcome).toBe(OUTCOME.sourceBroken);
  });

  test('while its last words wait for a slow reader it keeps them', () => {
    limitQueues(direction.to);
    limitQueues(sink);
    const text = Array.from({ length: 2000 }, (_, index) => String(index % 10)).join('');
    let sent = '';
    // Until it has not taken the last words in many turns: one at a time, so that they stay small.
    for (let turns = 0; turns < 50; turns += 1) {
      if (direction.bytes === sent.length) {
        send(text);
        sent += text;
        turns = 0;
      }
      ring.submitAndWait(1);
      complete();
    }
    for (let asked = 0; asked < 3; asked += 1) {
      expect(direction.restIfSilent()).toBe(true);
      ring.submitAndWait(1);
      complete();
      expect(smallLent()).toBe(1);
    }
    expectArrival(sent);
    rest();
  });
});
