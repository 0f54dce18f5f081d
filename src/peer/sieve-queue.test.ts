import { beforeEach, describe, expect, it } from 'vitest';
import { SieveQueue } from './sieve-queue.js';
import { NONE, SlabChunks } from './slab-chunks.js';
import { SlabLists } from './slab-lists.js';

let chunks: SlabChunks;
let used: Set<number>;
let queue: SieveQueue;

beforeEach(() => {
  chunks = new SlabChunks(1_000);
  used = new Set();
  queue = new SieveQueue(new SlabLists(chunks, 0, 1), {
    isUsed: (id) => used.has(id),
    clearUsed: (id) => void used.delete(id),
  });
});

function add(count: number): number[] {
  return Array.from({ length: count }, () => {
    const id = chunks.take(1);
    queue.add(id);
    return id;
  });
}

/** What it gives up, one after the other. */
function evict(count: number): number[] {
  return Array.from({ length: count }, () => {
    const id = queue.victim(NONE);
    queue.remove(id);
    return id;
  });
}

describe('the queue', () => {
  it('gives up the oldest first, and nothing when there is nothing', () => {
    const ids = add(3);
    expect(evict(3)).toEqual(ids);
    expect(queue.victim(NONE)).toBe(NONE);
  });

  it('passes over what was read, once, and goes on from there', () => {
    const [a, b, c, d] = add(4) as [number, number, number, number];
    used.add(a).add(c);
    expect(evict(1)).toEqual([b]);
    // The newest comes before those that the hand has passed.
    expect(evict(3)).toEqual([d, a, c]);
  });

  it('never gives up what is to be kept', () => {
    const [a, b] = add(2) as [number, number];
    used.add(b);
    expect(queue.victim(a)).toBe(b);
  });

  it('goes on when what it stands at is removed', () => {
    const [a, b, c] = add(3) as [number, number, number];
    expect(evict(1)).toEqual([a]);
    queue.remove(b);
    expect(evict(1)).toEqual([c]);
  });

  it('does not look at everything when everything is in use', () => {
    const ids = add(500);
    for (const id of ids) used.add(id);
    expect(queue.victim(NONE)).toBe(ids[64]);
    expect(used.size).toBe(500 - 64);
  });
});
