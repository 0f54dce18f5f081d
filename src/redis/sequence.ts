/**
 * Whether what a listener has seen of a stream is all of it.
 *
 * Every change of a stream has a number, one more than that of the change before it, and an id; it names the id of the
 * one before it too. The server keeps number and id of the newest. Two histories of one stream (a fail-over that lost
 * writes, a flush, an eviction) may give one number twice, but not one id; so a change that names the last id we know
 * continues the history that we know.
 *
 * A probe is asked on the connection that delivers the changes. There the server puts its answer in order among them:
 * every change announced before it has been delivered when the answer is read, so there is nothing to wait for, and
 * any difference is a loss.
 */

/** Number and id of the newest change. */
export interface Position {
  readonly seq: number;
  readonly id: string;
}

/** Where a stream is before its first change, or after it was wiped out. */
export const START: Position = Object.freeze({ seq: 0, id: '-' });

export interface Announcement extends Position {
  readonly previousId: string;
}

/** Where a listener is now, and whether it may have missed something on the way. */
export interface Step {
  readonly position: Position;
  readonly gap: boolean;
}

/**
 * A change arrived.
 * @param last where the listener was; undefined when it does not know
 */
export function afterAnnouncement(last: Position | undefined, { seq, id, previousId }: Announcement): Step {
  const follows = last !== undefined && seq === last.seq + 1 && previousId === last.id;
  return { position: { seq, id }, gap: !follows };
}

/**
 * A probe was answered.
 * @param last where the listener is
 * @param lastWhenSent where it was when the probe was sent
 * @param read where the server said the stream was
 */
export function afterProbe(last: Position | undefined, lastWhenSent: Position | undefined, read: Position): Step {
  if (last === undefined) return { position: read, gap: true };
  if (isSame(read, last)) return { position: last, gap: false };
  // Changes that came behind the answer in one piece with it are handled before the answer: they follow each other
  // from where we were, through where the server was, to where we are.
  const passedBy = read.seq < last.seq && (lastWhenSent === undefined || !isBefore(read, lastWhenSent));
  return passedBy ? { position: last, gap: false } : { position: read, gap: true };
}

/**
 * Whether a stream, found to be at `read`, may have lost changes that had brought it to `known`; if not, they were
 * missed at most.
 * @param known where it is known to have been
 * @param isSameHistory the server has been its primary without interruption since then, with the same data
 */
export function mayHaveLost(known: Position | undefined, read: Position, isSameHistory: boolean): boolean {
  if (known !== undefined && isSame(read, known)) return false;
  return known === undefined || !isSameHistory || read.seq <= known.seq;
}

/** Where a stream was when a change was made. */
export function beforeAnnouncement({ seq, previousId }: Announcement): Position {
  return { seq: seq - 1, id: previousId };
}

function isBefore(read: Position, sent: Position): boolean {
  return read.seq < sent.seq || (read.seq === sent.seq && read.id !== sent.id);
}

function isSame(a: Position, b: Position): boolean {
  return a.seq === b.seq && a.id === b.id;
}

const POSITION = /^(\d{1,15}):(\S+)$/;

/** What a sequence key holds; a missing one is the start, undefined is what no release has written. */
export function parsePosition(held: string | undefined): Position | undefined {
  if (held === undefined) return START;
  const [, seq, id] = POSITION.exec(held) ?? [];
  return id === undefined ? undefined : { seq: Number(seq), id };
}

const ANNOUNCEMENT = /^(\d{1,15}) (\S+) (\S+) (.*)$/s;

/** A message of a stream: where it stands, and what it says. */
export function parseAnnouncement(message: string): (Announcement & { readonly body: string }) | undefined {
  const [, seq, previousId, id, body] = ANNOUNCEMENT.exec(message) ?? [];
  if (previousId === undefined || id === undefined || body === undefined) return undefined;
  return { seq: Number(seq), previousId, id, body };
}
