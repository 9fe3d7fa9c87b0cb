/** Formats a number for display: three significant digits, or all digits before the point. */
export function shortNumber(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(3)));
}

/** Formats a share as percent: `12%`; `3.4%` below ten. */
export function percent(share: number): string {
  const value = share * 100;
  return `${Math.abs(value) < 10 ? Number(value.toFixed(1)) : Math.round(value)}%`;
}
