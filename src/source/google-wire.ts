/** What all of Google's APIs have in common, as it goes over the wire. */

export interface LatLng {
  readonly latitude: number;
  readonly longitude: number;
}

/** How every Google API says what is wrong (google.rpc.Status). */
export interface ErrorResponse {
  readonly error: {
    /** The HTTP status. */
    readonly code: number;
    readonly message: string;
    /** Such as `RESOURCE_EXHAUSTED`. */
    readonly status: string;
    readonly details?: readonly { readonly '@type': string; readonly reason?: string }[];
  };
}
