import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EFD_CLOEXEC, EFD_NONBLOCK, EPOLLIN } from '../../../../src/base/linux/abi.ts';
import { Descriptors } from '../../../../src/proxy/engine/linux/descriptors.ts';
import { MappedMemory } from '../../../../src/proxy/engine/linux/mapped-memory.ts';
import { probeLinux } from '../../../../src/base/linux/probe.ts';
import { type Completion, Ring } from '../../../../src/proxy/engine/linux/ring.ts';
import {
  IORING_CQE_F_MORE,
  IORING_OP_POLL_ADD,
  IORING_OP_POLL_REMOVE,
  IORING_POLL_ADD_MULTI,
  IOSQE_CQE_SKIP_SUCCESS,
} from '../../../../src/proxy/engine/linux/ring-abi.ts';
import { ringRefusal } from '../../../../src/proxy/engine/linux/ring-probe.ts';
import { TcpSockets } from '../../../../src/proxy/engine/linux/tcp-sockets.ts';

const probe = probeLinux();
const refusal = probe.kind === 'refused' ? probe.reason : ringRefusal(probe.linux);

describe.skipIf(refusal !== undefined)(`ring (${refusal ?? 'allowed'})`, () => {
  if (probe.kind === 'refused') return;
  const { linux } = probe;
  let memory: MappedMemory;
  let descriptors: Descriptors;
  let sockets: TcpSockets;
  let ring: Ring;
  let bell: number;

  beforeEach(() => {
    memory = new MappedMemory(linux);
    descriptors = new Descriptors(memory.linux);
    sockets = new TcpSockets(memory.linux);
    ring = new Ring(memory.linux, descriptors);
    bell = descriptors.own(linux.calls.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  });

  afterEach(() => {
    descriptors.resetAll();
    memory.release();
  });

  const poll = (key: number, generation = 0, multi = 0): void => {
    ring.push(IORING_OP_POLL_ADD, 0, 0, bell, 0, multi, EPOLLIN, key, generation);
  };
  const drain = (): Completion[] => {
    const completions: Completion[] = [];
    ring.drain((completion) => completions.push({ ...completion }));
    return completions;
  };

  test('a request comes back with both words of its user data', () => {
    sockets.signal(bell);
    poll(-7, 123_456);
    ring.submitAndWait(-1);
    expect(drain()).toEqual([{ key: -7, generation: 123_456, result: EPOLLIN, flags: 0 }]);
    expect(drain()).toEqual([]);
  });

  test('waiting ends at its deadline, or at once when it is 0', () => {
    poll(1);
    ring.submitAndWait(0);
    ring.submitAndWait(1);
    expect(drain()).toEqual([]);
    sockets.signal(bell);
    ring.submitAndWait(-1);
    expect(drain()).toHaveLength(1);
  });

  test('a poll of many shots tells each signal, whether or not the last one was read', () => {
    poll(1, 0, IORING_POLL_ADD_MULTI);
    for (let round = 0; round < 3; round += 1) {
      sockets.signal(bell);
      ring.submitAndWait(-1);
      expect(drain()).toEqual([
        { key: 1, generation: 0, result: EPOLLIN, flags: IORING_CQE_F_MORE },
      ]);
    }
  });

  test('more requests than fit are handed over on the way, and none is lost', () => {
    sockets.signal(bell);
    const count = 5000;
    for (let key = 0; key < count; key += 1) poll(key);
    const keys = new Set<number>();
    while (keys.size < count) {
      ring.submitAndWait(-1);
      for (const { key } of drain()) keys.add(key);
    }
    expect(keys.size).toBe(count);
  });

  test('a removed poll completes as cancelled, its removal says nothing', () => {
    poll(5, 9);
    const userData = 9 * 2 ** 32 + 5;
    const quiet = IOSQE_CQE_SKIP_SUCCESS;
    ring.push(IORING_OP_POLL_REMOVE, quiet, 0, -1, userData, 0, 0, -2, 0);
    ring.submitAndWait(-1);
    const ECANCELED = 125;
    expect(drain()).toEqual([{ key: 5, generation: 9, result: -ECANCELED, flags: 0 }]);
  });
});
