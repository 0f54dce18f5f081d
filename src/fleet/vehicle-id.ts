import { CacheError } from '../core/errors.js';
import type { VehicleId, VehicleIdInput } from './domain.js';

const CANONICAL = /^(?:0|[1-9]\d{0,19})$/;
const LARGEST = 18_446_744_073_709_551_615n;

/**
 * An id in its one canonical form. Leading zeros, signs and spaces are refused rather than trimmed: a text that has
 * them is a field of fixed width or somebody else's id, and two spellings of one vehicle would be two cache entries.
 * @throws CacheError `invalid-value` naming `vehicleId`
 */
export function checkVehicleId(input: VehicleIdInput): VehicleId {
  switch (typeof input) {
    case 'bigint':
      if (input < 0n || input > LARGEST) throw outOfRange(String(input));
      return String(input);
    case 'number':
      if (!Number.isSafeInteger(input)) {
        throw invalid(`${input}, a number that is not a safe integer: give larger ids as bigint or as text`);
      }
      if (input < 0) throw outOfRange(String(input));
      return String(input);
    case 'string':
      if (!CANONICAL.test(input)) {
        throw invalid(
          `${JSON.stringify(input.slice(0, 40))}: give decimal digits only, without sign, spaces or leading zeros`,
        );
      }
      // 19 digits always fit in 64 bits; only 20 need a look.
      if (input.length === 20 && BigInt(input) > LARGEST) throw outOfRange(input);
      return input;
    default:
      throw invalid(`of type ${input === null ? 'null' : typeof input}: give a bigint, a number or decimal digits`);
  }
}

/** The canonical ids without repetitions, in order of their first appearance. */
export function checkVehicleIds(inputs: readonly VehicleIdInput[]): VehicleId[] {
  if (!Array.isArray(inputs)) {
    throw new CacheError('invalid-value', `vehicle ids must be an array, got ${typeof inputs}`, { field: 'ids' });
  }
  return [...new Set(inputs.map(checkVehicleId))];
}

function outOfRange(text: string): CacheError {
  return invalid(`${text}: it must lie between 0 and ${LARGEST} (unsigned 64-bit)`);
}

function invalid(problem: string): CacheError {
  return new CacheError('invalid-value', `vehicleId is ${problem}`, { field: 'vehicleId' });
}
