import { CacheError } from '../../core/errors.js';
import { cellsOfBox } from '../../fleet/circle.js';
import { compileFilter, type LiveFilter, type SubscriptionFilter } from '../../fleet/live-filter.js';
import { type Box, checkBox } from '../../fleet/region.js';

/** What a request for live positions asks for. */
export interface LiveQuery {
  readonly filter: SubscriptionFilter;
  readonly compiled: LiveFilter;
}

const VEHICLES_MAX = 1_000;
const REGIONS_MAX = 200;
const PARAMETERS = ['vehicle', 'region', 'box'];

/**
 * Reads `vehicle=1&vehicle=2,3&region=19.07,72.87&box=south,west,north,east`. What is given must all fit; something must be.
 * @throws CacheError `invalid-value`, whose field is the parameter
 */
export function readLiveQuery(parameters: URLSearchParams): LiveQuery {
  for (const name of parameters.keys()) {
    if (!PARAMETERS.includes(name)) throw invalid(name, `there is no such parameter, only ${PARAMETERS.join(', ')}`);
  }
  const vehicles = parameters.getAll('vehicle').flatMap((text) => text.split(','));
  const regions = parameters.getAll('region');
  const boxes = parameters.getAll('box');
  if (vehicles.length + regions.length + boxes.length === 0) {
    throw invalid('vehicle', 'give at least one vehicle, region or box: nobody is told where everybody is');
  }
  if (vehicles.length > VEHICLES_MAX) throw invalid('vehicle', `there are more than ${VEHICLES_MAX}`);
  if (regions.length > REGIONS_MAX) throw invalid('region', `there are more than ${REGIONS_MAX}`);
  if (boxes.length > 1) throw invalid('box', 'there is more than one');
  const [box] = boxes;
  const filter = {
    ...(vehicles.length > 0 && { vehicles }),
    ...(regions.length > 0 && { regions }),
    ...(box !== undefined && { box: readBox(box) }),
  };
  return { filter, compiled: compile(filter) };
}

function compile(filter: SubscriptionFilter): LiveFilter {
  try {
    return compileFilter(filter);
  } catch (thrown) {
    if (thrown instanceof CacheError && thrown.field === 'vehicleId') throw invalid('vehicle', thrown.message);
    throw thrown;
  }
}

function readBox(text: string): Box {
  const parts = text.split(',');
  const [south = Number.NaN, west = Number.NaN, north = Number.NaN, east = Number.NaN] = parts.map((part) =>
    part.trim() === '' ? Number.NaN : Number(part),
  );
  if (parts.length !== 4) throw invalid('box', 'give four numbers: south,west,north,east');
  const box = checkBox({ south, west, north, east });
  // Who is in it has to be looked up when the stream begins.
  cellsOfBox(box);
  return box;
}

function invalid(field: string, problem: string): CacheError {
  return new CacheError('invalid-value', `${field}: ${problem}`, { field });
}
