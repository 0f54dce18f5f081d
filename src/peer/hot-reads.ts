/** Counts the reads of what this node keeps for all. */
export interface HotReads {
  /** One more read of a key that is here. @returns whether it is asked for so often that whoever asks should keep it */
  note(key: string): boolean;
}

/** Places of a reply, as they stand in its header; anything else says nothing. */
const FORM = /^\d{1,5}(,\d{1,5})*$/;

/** The value of `HOT_HEADER`; undefined when no key is hot. */
export function formatHot(places: readonly number[]): string | undefined {
  return places.length === 0 ? undefined : places.join(',');
}

/** What `formatHot` wrote. It is a hint: what cannot be read is none. */
export function parseHot(value: string | undefined): ReadonlySet<number> {
  if (value === undefined || !FORM.test(value)) return NONE;
  const places = new Set<number>();
  for (let from = 0; from < value.length; ) {
    const comma = value.indexOf(',', from);
    const to = comma === -1 ? value.length : comma;
    places.add(Number(value.slice(from, to)));
    from = to + 1;
  }
  return places;
}

const NONE: ReadonlySet<number> = new Set();
