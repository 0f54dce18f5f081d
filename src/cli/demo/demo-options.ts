export interface DemoOptions {
  readonly vehicles: number;
  readonly readsPerSecond: number;
  /** How long to run; undefined: until it is stopped, or the replayed file ends. */
  readonly forMs: number | undefined;
  /** A file of pings, instead of simulated ones. */
  readonly replay: string | undefined;
  readonly speed: number;
  /** Of the page; 0 takes a free one. */
  readonly port: number;
}
