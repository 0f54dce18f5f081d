/** From here on the objects around a byte array weigh little beside its bytes. */
const TEXT_BYTES_MAX = 4_096;

/**
 * A payload as a tier keeps it: never a part of a larger buffer, which it would keep alive; what comes from a socket or
 * from another level often is one. A short one becomes a text of its bytes, one character each: a byte array of its own
 * takes some 400 bytes of objects and allocations around it, a text takes 16.
 */
export type KeptPayload = string | Uint8Array;

export function keepPayload(payload: Uint8Array): KeptPayload {
  if (payload.byteLength <= TEXT_BYTES_MAX) {
    return Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('latin1');
  }
  return payload.byteLength === payload.buffer.byteLength ? payload : new Uint8Array(payload);
}

export function payloadOf(kept: KeptPayload): Uint8Array {
  return typeof kept === 'string' ? Buffer.from(kept, 'latin1') : kept;
}
