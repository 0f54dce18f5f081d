/** The part of Google's Routes API v2 that we use, as it goes over the wire. */
import type { LatLng } from './google-wire.js';

export const COMPUTE_ROUTES_PATH = '/directions/v2:computeRoutes';
/** Without a mask the API refuses; with more in it, it answers more slowly and charges more. */
export const FIELD_MASK = 'routes.distanceMeters,routes.duration';

export interface Waypoint {
  readonly location: { readonly latLng: LatLng };
}

export interface ComputeRoutesRequest {
  readonly origin: Waypoint;
  readonly destination: Waypoint;
  readonly travelMode: 'DRIVE';
  /** With live traffic: a travel time without it is wrong by half at peak hours. */
  readonly routingPreference: 'TRAFFIC_AWARE';
}

export interface ComputeRoutesResponse {
  /** Left out when there is no route. */
  readonly routes?: readonly {
    /** Left out when 0, as protocol buffers do. */
    readonly distanceMeters?: number;
    /** Seconds with up to nine decimals and an `s`: `"165s"`. */
    readonly duration?: string;
  }[];
}
