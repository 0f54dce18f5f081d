import type { Cache } from '../core/cache.js';
import type { CallOptions } from '../core/call.js';
import type { Clock } from '../core/clock.js';
import { CacheError } from '../core/errors.js';
import { ExternalSource } from './external-source.js';
import { keys } from './keys.js';
import type { GeocodingApi, Place } from './ports.js';
import { checkPosition, type Position } from './region.js';
import type { FleetCounters } from './stats.js';

/** Ids of places may be stored without end; Google asks for them to be renewed after a year. */
const PLACE_ID_TTL = '30d';
/** While the API fails, so long. */
const PLACE_ID_STALE = '30d';
/** Degrees, some ten metres: who stands nearer stands at the same place. */
const STEP = 1e-4;
const NAME = 'the geocoding API';

export interface PlacesParts {
  readonly cache: Cache;
  readonly clock: Clock;
  readonly geocoding: GeocodingApi | undefined;
  readonly counters: FleetCounters;
}

/**
 * Which place is where. Of what the geocoding API answers its terms let only the id of a place be stored: the address is
 * shared among those who ask at the same time, and asked for again by whoever comes later.
 */
export class Places {
  readonly #geocoding: GeocodingApi | undefined;
  readonly #source: ExternalSource<Position, Place>;

  constructor({ cache, clock, geocoding, counters }: PlacesParts) {
    this.#geocoding = geocoding;
    const told = {
      onShared: () => {
        counters.placesShared += 1;
      },
      onAsked: () => {
        counters.placesAsked += 1;
      },
    };
    this.#source = new ExternalSource(
      { cache, clock, ...told },
      {
        name: NAME,
        policy: { keep: ['placeId'], ttl: PLACE_ID_TTL, staleIfError: PLACE_ID_STALE },
        keyOf: ({ lat, lon }) => keys.place(lat, lon),
        ask: (position, call) => (geocoding as GeocodingApi).placeAt(position, call),
      },
    );
  }

  /** @returns undefined when there is no place with an address */
  async place(given: Position, options: CallOptions | undefined): Promise<Place | undefined> {
    return this.#source.ask(this.#check(given), options);
  }

  /** From the cache, if it is known. @returns undefined as above */
  async placeId(given: Position, options: CallOptions | undefined): Promise<string | undefined> {
    return (await this.#source.kept(this.#check(given), options))?.placeId;
  }

  #check(given: Position): Position {
    const { lat, lon } = checkPosition(given, 'position');
    if (this.#geocoding === undefined) {
      throw new CacheError('invalid-options', `there is no ${NAME}: give \`geocoding\` to createFleet`, {
        field: 'geocoding',
      });
    }
    return { lat: rounded(lat), lon: rounded(lon) };
  }
}

/** A quotient of integers, so that the text of the number has no more digits than it needs. */
function rounded(degrees: number): number {
  return Math.round(degrees / STEP) / Math.round(1 / STEP);
}
