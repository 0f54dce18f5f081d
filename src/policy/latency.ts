/** Of the longest wait: what is given to a part that has never answered. */
const FIRST_SHARE = 0.3;
/**
 * What is waited beyond what is usual, at least: for what the machines at both ends may be late without anything being
 * wrong. A quarter of the longest wait, for who configures more of that wants patience; never less than what a process is
 * put off for on a busy machine.
 */
const SLACK_SHARE = 0.25;
const SLACK_MIN_MS = 50;
/** A question may ask for many keys; each is given this much more. */
const PER_KEY_MS = 0.25;

/**
 * How long a part takes to answer, smoothed, and how far it strays from that: from these follows how long its next answer
 * is worth waiting for. (Jacobson and Karels, "Congestion avoidance and control", 1988, with the gains 1/8 and 1/4 and
 * four deviations as in RFC 6298, where the slack is the granularity of the clock.) Answers that come after the wait count
 * too, so a part that gets slow is waited for longer the next time, and one that was slow is forgiven after some quick ones.
 */
export class Latency {
  #smoothedMs: number | undefined;
  #deviationMs = 0;

  /** An answer took so long. */
  note(tookMs: number): void {
    if (this.#smoothedMs === undefined) {
      this.#smoothedMs = tookMs;
      // Not half of it as in the RFC: the first answer is often the slowest, and here it is a wait that is too long that harms.
      this.#deviationMs = tookMs / 4;
      return;
    }
    const error = tookMs - this.#smoothedMs;
    this.#smoothedMs += error / 8;
    this.#deviationMs += (Math.abs(error) - this.#deviationMs) / 4;
  }

  /**
   * How long to wait for the answer to a question for `keys` keys.
   * @param maxMs the longest wait, whatever was seen
   */
  waitMs(maxMs: number, keys: number): number {
    const slackMs = Math.max(SLACK_MIN_MS, maxMs * SLACK_SHARE);
    const usualMs =
      this.#smoothedMs === undefined
        ? Math.max(SLACK_MIN_MS, maxMs * FIRST_SHARE)
        : this.#smoothedMs + Math.max(slackMs, 4 * this.#deviationMs);
    return Math.min(maxMs, usualMs + (keys - 1) * PER_KEY_MS);
  }
}
