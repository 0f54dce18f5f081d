import type { LoadCall } from '../core/cache.js';
import { CacheError } from '../core/errors.js';
import { GEOCODE_FIELD_MASK, GEOCODE_LOCATION_PATH, type GeocodeLocationResponse } from './geocoding-wire.js';
import { GoogleApi, type GoogleApiOptions } from './google-api.js';
import { checkPoint, type Point } from './point.js';

const GOOGLE_URL = 'https://geocode.googleapis.com';
/** About a metre: a vehicle is longer, and an exponent would not be understood. */
const DECIMALS = 5;

export interface Place {
  /** Google's own name for the place. It may be stored, other than all else. */
  readonly placeId: string;
  readonly address: string;
}

/** Which place is where, from Google's Geocoding API. Its answers may not be stored, but for `placeId`. */
export class GeocodingClient {
  readonly #api: GoogleApi;

  /** @throws CacheError as `GoogleApi` does */
  constructor(options: GoogleApiOptions) {
    this.#api = new GoogleApi('the Geocoding API', { ...options, url: options.url ?? GOOGLE_URL });
  }

  /**
   * The nearest place that has an address.
   * @returns undefined when there is none, as at sea
   * @throws CacheError `invalid-value` for a point that is none; else as `GoogleApi.ask` does
   */
  async placeAt(point: Point, call: LoadCall): Promise<Place | undefined> {
    const { lat, lon } = checkPoint(point, 'position');
    const path = `${GEOCODE_LOCATION_PATH}${lat.toFixed(DECIMALS)},${lon.toFixed(DECIMALS)}`;
    const { results } = await this.#api.ask<GeocodeLocationResponse>(
      { method: 'GET', path, fields: GEOCODE_FIELD_MASK },
      call,
    );
    const nearest = results?.[0];
    if (nearest === undefined) return undefined;
    const { placeId, formattedAddress } = nearest;
    if (typeof placeId === 'string' && typeof formattedAddress === 'string')
      return { placeId, address: formattedAddress };
    throw new CacheError('level-failed', 'the Geocoding API answered with a place that has no id or address');
  }

  /** Turns away what waits; what is under way ends within the deadlines of its callers. */
  close(): Promise<void> {
    return this.#api.close();
  }
}
