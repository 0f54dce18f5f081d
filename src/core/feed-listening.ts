import type { FeedIntake } from './feed-intake.js';
import type { WriterParts } from './writer.js';

/**
 * Listens to the feeds of all levels. When one says that its level may have lost what it had acknowledged, the level is
 * told again what this node knows of that, once everybody here has been told. The race that this closes:
 *
 *   1. here:  a key is deleted. L2 stores the tombstone and acknowledges; its replica has not heard of it yet
 *   2. the primary dies, and the replica takes over: with the value
 *   3. here:  the feed finds another history than the one it knew; the delete is still remembered, and sent again
 *   4. there: whoever read the value between 2 and 3 is told of the delete by the feed
 */
export function listenToFeeds(
  { feeds, recoveries }: Pick<WriterParts, 'feeds' | 'recoveries'>,
  intake: Pick<FeedIntake, 'take'>,
): void {
  for (const { level, feed } of feeds) {
    feed.listen((change) => {
      intake.take(change);
      if (change.kind !== 'gap' || change.lost !== true) return;
      // What waits for another level only was acknowledged by this one, maybe long ago.
      const others = [...recoveries].filter(([other]) => other !== level);
      recoveries.get(level)?.relapse(
        change.partition,
        others.flatMap(([, queue]) => queue.waitingOf(change.partition)),
      );
    });
  }
}
