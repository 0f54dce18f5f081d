/** Imported first by a node's process: gives it a wall clock that is as wrong as it was told. Durations stay right. */
const shiftMs = Number(process.env.COHERENCE_CLOCK_SHIFT_MS ?? 0);

if (shiftMs !== 0) {
  const RealDate = Date;
  class ShiftedDate extends RealDate {
    constructor(...given: [] | [value: number | string | Date]) {
      if (given.length === 0) super(RealDate.now() + shiftMs);
      else super(...given);
    }

    static override now(): number {
      return RealDate.now() + shiftMs;
    }
  }
  globalThis.Date = ShiftedDate as DateConstructor;
}
