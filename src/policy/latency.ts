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
 * How long a part takes to answer, smoothed, and how much later than that it may come: from these follows how long its next
 * answer is worth waiting for. (Jacobson and Karels, "Congestion avoidance and control", 1988, with four deviations as in
 * RFC 6298, where the slack is the granularity of the clock.)
 *
 * It differs in two ways. An early answer makes no wait longer (as in Eifel: Ludwig and Katz, 2000) and is believed at once,
 * because the first answers over a connection are often the slowest. And a late one counts for half as much (gain 1/8 for
 * 1/4): a single one is more often a pause of a machine than the beginning of anything. Answers that come after the wait
 * count too, so a part that gets slow is waited for longer the next times.
 */
export class Latency {
  #hasAnswered = false;
  #smoothedMs = 0;
  #latenessMs = 0;

  /** An answer took so long. */
  note(tookMs: number): void {
    this.#hasAnswered = true;
    const laterMs = tookMs - this.#smoothedMs;
    this.#smoothedMs += laterMs / (laterMs > 0 ? 8 : 2);
    this.#latenessMs += (Math.max(0, laterMs) - this.#latenessMs) / 8;
  }

  /**
   * How long to wait for the answer to a question for `keys` keys.
   * @param maxMs the longest wait, whatever was seen
   */
  waitMs(maxMs: number, keys: number): number {
    const slackMs = Math.max(SLACK_MIN_MS, maxMs * SLACK_SHARE);
    const usualMs = this.#hasAnswered
      ? this.#smoothedMs + Math.max(slackMs, 4 * this.#latenessMs)
      : Math.max(SLACK_MIN_MS, maxMs * FIRST_SHARE);
    return Math.min(maxMs, usualMs + (keys - 1) * PER_KEY_MS);
  }
}
