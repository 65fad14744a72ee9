import { describe, expect, test } from 'vitest';
import { RecentList } from '../../../src/proxy/modes/recent-list.ts';

describe('RecentList', () => {
  test('remembers for the window, its last moment included', () => {
    const list = new RecentList();
    list.note('10.0.0.1', 1000);
    expect(list.has('10.0.0.1', 2000, 1000)).toBe(true);
    expect(list.has('10.0.0.1', 2001, 1000)).toBe(false);
    expect(list.has('10.0.0.2', 1000, 1000)).toBe(false);
  });

  test('holds a hundred addresses and forgets the one not renewed for longest', () => {
    const list = new RecentList();
    for (let index = 0; index < 100; index += 1) list.note(`10.0.0.${index}`, index);
    list.note('10.0.0.0', 100);
    list.note('10.0.1.0', 101);
    expect(list.has('10.0.0.0', 101, 1000)).toBe(true);
    expect(list.has('10.0.0.1', 101, 1000)).toBe(false);
    expect(list.has('10.0.0.2', 101, 1000)).toBe(true);
  });
});
