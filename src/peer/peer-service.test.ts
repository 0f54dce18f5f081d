import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../test/virtual-clock.js';
import { tombstone } from '../core/entry.js';
import { encodeEntry } from '../core/entry-format.js';
import { bucketOf } from '../core/key.js';
import { VERSION_ZERO } from '../core/version.js';
import { Doubts } from './doubts.js';
import { answerBatch, type BatchAnswer } from './peer-service.js';
import { SlabPeerStore } from './slab-store.js';
import { decodeReply, encodeReply } from './wire.js';

/** What travels of it. */
function sent(answer: BatchAnswer) {
  const asked = { reads: answer.reads.length, writes: answer.writes.length, leases: answer.leases.length };
  return decodeReply(encodeReply(answer), asked).reads;
}

const clock = new VirtualClock();
const counter = { answer: () => ({ kind: 'noted' }) as const };

describe('what a node answers of a bucket in doubt', () => {
  it('is marked, as long as the doubt lasts; what it does not have is missing', () => {
    const store = new SlabPeerStore(clock, 1_048_576);
    const doubts = new Doubts();
    const bytes = Buffer.from(encodeEntry(tombstone({ ms: 5, counter: 0 }, VERSION_ZERO, clock.wallMs(), 60_000)));
    store.write('k', bytes, 'set');
    const read = () => sent(answerBatch(store, counter, { reads: ['k', 'other'], writes: [], leases: [] }, doubts));
    expect(read()).toEqual([bytes, 'miss']);
    doubts.add(bucketOf('k'));
    expect(read()).toEqual([{ doubted: bytes }, 'miss']);
    doubts.clear(bucketOf('k'));
    expect(read()).toEqual([bytes, 'miss']);
  });
});

describe('a key that is asked for often', () => {
  it('is pointed out by its place, when it is here and beyond doubt', () => {
    const store = new SlabPeerStore(clock, 1_048_576);
    const doubts = new Doubts();
    const bytes = Buffer.from(encodeEntry(tombstone({ ms: 5, counter: 0 }, VERSION_ZERO, clock.wallMs(), 60_000)));
    for (const key of ['hot', 'cold', 'doubted']) store.write(key, bytes, 'set');
    doubts.add(bucketOf('doubted'));
    const noted: string[] = [];
    const hotReads = {
      note(key: string): boolean {
        noted.push(key);
        return key !== 'cold';
      },
    };
    const reads = ['cold', 'none', 'hot', 'doubted', 'hot'];
    expect(answerBatch(store, counter, { reads, writes: [], leases: [] }, doubts, hotReads).hot).toEqual([2, 4]);
    expect(noted).toEqual(['cold', 'hot', 'hot']);
    expect(answerBatch(store, counter, { reads, writes: [], leases: [] }, doubts).hot).toEqual([]);
  });
});

describe('doubts', () => {
  it('count each bucket once, and know when one was doubted anew', () => {
    const doubts = new Doubts();
    doubts.add(7);
    const times = doubts.timesOf(7);
    doubts.add(7);
    doubts.add(9);
    expect(doubts.size).toBe(2);
    expect(doubts.list()).toEqual([7, 9]);
    expect(doubts.timesOf(7)).not.toBe(times);
    doubts.clear(7);
    doubts.clear(7);
    expect(doubts.size).toBe(1);
    expect(doubts.has(7)).toBe(false);
  });
});
