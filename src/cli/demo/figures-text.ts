/** Figures as a person reads them. `null` is what is not known, and shown as a dash. */

const NONE = '-';
const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 });

/** Small ones with a tenth, when they have one. */
export function countText(value: number | null): string {
  if (value === null) return NONE;
  return value > 0 && value < 9.95 && !Number.isInteger(value) ? tenths.format(value) : whole.format(value);
}

/** A share of 1; what is not quite all does not read as 100. */
export function percentText(share: number | null): string {
  if (share === null) return NONE;
  const thousandths = share < 1 ? Math.min(999, Math.round(share * 1_000)) : 1_000;
  return `${tenths.format(thousandths / 10)} %`;
}

export function msText(ms: number | null): string {
  if (ms === null) return NONE;
  if (ms < 0.001) return '<1 us';
  if (ms < 1) return `${whole.format(ms * 1_000)} us`;
  if (ms < 10) return `${ms.toFixed(2)} ms`;
  return ms < 1_000 ? `${ms.toFixed(0)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

export function bytesText(size: number | null): string {
  if (size === null) return NONE;
  const mebibytes = size / 1_048_576;
  return `${mebibytes < 9.95 ? tenths.format(mebibytes) : whole.format(mebibytes)} MiB`;
}

export function spanText(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${seconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Time of day here. */
export function clockText(atMs: number): string {
  return new Date(atMs).toLocaleTimeString('en-GB');
}

/** How a change feed reads. */
export function transportText({ transport }: { readonly transport: 'logical' | 'outbox' | undefined }): string {
  if (transport === undefined) return 'unknown';
  return transport === 'logical' ? 'logical replication' : 'an outbox';
}
