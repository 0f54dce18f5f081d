-- The fleet: vehicles, how they are, where they are and were, trips, fuel and maintenance.

-- Vehicle ids are unsigned 64-bit numbers. bigint is signed and ends at half of them; text would sort '10' before '9'
-- and could hold one number in two spellings. numeric is exact, ordered and takes 8 to 14 bytes.
create domain uint64 as numeric(20, 0) check (value between 0 and 18446744073709551615);

-- Times have milliseconds, like the Date they become: with more, what is read would not equal what is stored.
-- Measures are double precision, like the number they become.

create table vehicles (
  id uint64 primary key,
  registration text not null,
  type text not null check (type in ('truck', 'bus')),
  model text not null,
  city text not null
    check (city in ('mumbai', 'delhi', 'bengaluru', 'chennai', 'hyderabad', 'kolkata', 'pune')),
  operator_id text not null,
  capacity_kg double precision not null check (capacity_kg >= 0),
  active boolean not null,
  updated_at timestamptz(3) not null
);

create index vehicles_in_service on vehicles (id) where active;

create table vehicle_statuses (
  vehicle_id uint64 primary key references vehicles,
  state text not null check (state in ('moving', 'idling', 'parked', 'workshop')),
  fuel_percent double precision not null check (fuel_percent between 0 and 100),
  odometer_km double precision not null check (odometer_km >= 0),
  updated_at timestamptz(3) not null
);

-- The newest position of each vehicle, and where it was before that. Trackers report before anybody has entered their
-- vehicle, and such a position must not be lost: no reference to vehicles, here and in the history.
-- The cells (0.01 degree) are columns of their own so that an update that stays in its cell, as 94 in 100 do, touches
-- no index (a heap-only update, for which the fill factor leaves room).
create table vehicle_locations (
  vehicle_id uint64 primary key,
  lat double precision not null check (lat between -90 and 90),
  lon double precision not null check (lon between -180 and 180),
  speed_kmh double precision not null check (speed_kmh >= 0 and speed_kmh < 'infinity'),
  heading_deg double precision check (heading_deg >= 0 and heading_deg < 360),
  engine_on boolean not null,
  at timestamptz(3) not null,
  region text not null,
  previous_lat double precision,
  previous_lon double precision,
  previous_region text,
  lat_cell integer not null generated always as (floor(lat * 100)::integer) stored,
  lon_cell integer not null generated always as (floor(lon * 100)::integer) stored
) with (fillfactor = 70);

create index vehicle_locations_by_cell on vehicle_locations (lat_cell, lon_cell);

-- Every position that was ever reported. The key is what makes two reports the same report: one device time can carry
-- two different positions, and both are kept.
create table vehicle_location_history (
  vehicle_id uint64,
  at timestamptz(3),
  lat double precision check (lat between -90 and 90),
  lon double precision check (lon between -180 and 180),
  speed_kmh double precision check (speed_kmh >= 0 and speed_kmh < 'infinity'),
  heading_deg double precision check (heading_deg >= 0 and heading_deg < 360),
  engine_on boolean not null,
  region text not null,
  primary key (vehicle_id, at, lat, lon, speed_kmh)
);

-- Ids of records sort by their bytes, as they do in the programs that read them, whatever the locale of the database.
create table trips (
  id text collate "C" primary key,
  vehicle_id uint64 not null references vehicles,
  origin text not null,
  destination text not null,
  distance_km double precision not null check (distance_km >= 0),
  started_at timestamptz(3) not null,
  planned_arrival_at timestamptz(3) not null,
  arrived_at timestamptz(3)
);

create index trips_newest on trips (vehicle_id, started_at desc, id desc);

create table fuel_records (
  id text collate "C" primary key,
  vehicle_id uint64 not null references vehicles,
  at timestamptz(3) not null,
  litres double precision not null check (litres >= 0),
  odometer_km double precision not null check (odometer_km >= 0),
  cost_inr double precision not null check (cost_inr >= 0)
);

create index fuel_records_newest on fuel_records (vehicle_id, at desc, id desc);

create table maintenance_records (
  id text collate "C" primary key,
  vehicle_id uint64 not null references vehicles,
  at timestamptz(3) not null,
  work text not null,
  next_due_at timestamptz(3)
);

create index maintenance_records_newest on maintenance_records (vehicle_id, at desc, id desc);
