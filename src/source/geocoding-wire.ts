/** The part of Google's Geocoding API v4 that we use, as it goes over the wire. */

/** Followed by `lat,lng`. */
export const GEOCODE_LOCATION_PATH = '/v4/geocode/location/';
export const GEOCODE_FIELD_MASK = 'results.placeId,results.formattedAddress';

export interface GeocodeLocationResponse {
  /** The nearest first; left out when there are none. */
  readonly results?: readonly {
    readonly placeId?: string;
    readonly formattedAddress?: string;
  }[];
}
