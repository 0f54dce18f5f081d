/**
 * One device time can carry two positions, and they may come in one batch, in two, or through two nodes at once. Which
 * one counts is a function of all that are known of the time, so that it is the same whatever their order: a live one
 * before history; of those the one with the latest frame number; where the device does not number them, the larger
 * content.
 *
 * Frame numbers run from 1 to 999999 and then from 1 again: the latest is the one that the longest empty stretch of the
 * circle follows. That is no order of two but a property of the set, so it is found from the whole set, in the history.
 *
 * Two batches that have appended one position each, and settle at once:
 *
 *   1. A appends and commits; B appends and commits. Each settles in a statement of its own, after that: whoever begins
 *      last sees both.
 *   2. B, who saw both, changes the row. A, whose snapshot is from before B's commit, waits for the row and would change
 *      it back.
 *   3. A's choice was made from less: the sum of the revisions that it saw is not larger than what the row has now.
 *      Snapshots contain each other and revisions only grow, so a larger sum is always the later and the better choice.
 *
 * The same number is the order within a time of what the cache is told (`numberedVersion`), so caches end with the last
 * choice of the database, however late they are told of one that was made before.
 */
import { LOCATION } from './fleet-reads.js';
import type { VehicleId } from './fleet-records.js';
import type { Statement } from './postgres-pool.js';
import { dateToTimestamp } from './postgres-types.js';

/** Frame numbers before they begin again. */
const FRAMES = 999_999;

/**
 * The newest positions of vehicles, after the choice among those of its time where there are several. Where the newest
 * one is later than all that the batch had of the vehicle there is nothing to choose.
 */
export const SETTLE_LOCATIONS: Statement = {
  name: 'settle-locations',
  text: `with asked as (
      select * from unnest($1::numeric[], $2::timestamptz[]) as asked(vehicle_id, at)
    ), rivals as (
      select known.*, sum(known.revision) over of_vehicle as knowledge, bool_and(known.history) over of_vehicle as is_past
      from asked join vehicle_locations using (vehicle_id, at)
        join vehicle_location_history as known using (vehicle_id, at)
      window of_vehicle as (partition by vehicle_id)
    ), candidates as (
      select * from rivals where is_past or not history
    ), frames as (
      select vehicle_id, frame,
        coalesce(lead(frame) over of_vehicle, first_value(frame) over of_vehicle + ${FRAMES}) - frame as empty_after
      from (select distinct vehicle_id, frame from candidates where frame is not null) as numbered
      window of_vehicle as (partition by vehicle_id order by frame)
    ), chosen as (
      select distinct on (candidates.vehicle_id) candidates.*
      from candidates left join frames using (vehicle_id, frame)
      order by candidates.vehicle_id, frames.empty_after desc nulls last, candidates.frame desc nulls last, lat desc,
        lon desc, speed_kmh desc
    ), locked as (
      select newest.vehicle_id from vehicle_locations as newest join chosen using (vehicle_id, at)
      where newest.revision < chosen.knowledge order by newest.vehicle_id for update of newest
    ), settled as (
      update vehicle_locations as newest set lat = chosen.lat, lon = chosen.lon, speed_kmh = chosen.speed_kmh,
        heading_deg = chosen.heading_deg, engine_on = chosen.engine_on, region = chosen.region,
        revision = chosen.knowledge, previous_lat = newest.lat, previous_lon = newest.lon,
        previous_region = newest.region
      from chosen join locked using (vehicle_id)
      where newest.vehicle_id = chosen.vehicle_id
      returning newest.*
    )
    select ${LOCATION}, previous_lat as "previousLat", previous_lon as "previousLon", previous_region as "previousRegion"
    from settled
    union all
    select ${LOCATION}, lat, lon, region from vehicle_locations
    where vehicle_id = any($1::numeric[]) and vehicle_id not in (select vehicle_id from settled)`,
};

export function settleLocationsValues(open: readonly (readonly [VehicleId, Date])[]): readonly unknown[][] {
  return [open.map(([id]) => id), open.map(([, at]) => dateToTimestamp(at))];
}
