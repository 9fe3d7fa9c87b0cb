/** Formatting of numbers and texts. */

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });
const tenths = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
const NONE = '–';

/** Formats an amount: whole numbers, except for small fractions. */
export function amount(value) {
  if (value === null) return NONE;
  return Math.abs(value) < 10 ? short.format(value) : whole.format(value);
}

export function milliseconds(value) {
  if (value === null) return NONE;
  return value < 1000 ? `${short.format(value)} ms` : `${short.format(value / 1000)} s`;
}

export function seconds(value) {
  if (value < 10) return `${short.format(value)} s`;
  const all = Math.round(value);
  if (all < 60) return `${all} s`;
  const [minutes, rest] = [Math.floor(all / 60), all % 60];
  if (minutes >= 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${minutes} min${rest === 0 ? '' : ` ${rest} s`}`;
}

/** Anchor of a section of the runbook, as GitHub derives it from a heading. */
export function anchorOf(heading) {
  return heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');
}

export function percent(value) {
  return value === null ? NONE : `${tenths.format(value)}%`;
}

export function bytes(value) {
  const unit = ['B', 'KiB', 'MiB', 'GiB'].find((_, power) => value < 1000 * 1024 ** power) ?? 'TiB';
  const power = ['B', 'KiB', 'MiB', 'GiB', 'TiB'].indexOf(unit);
  return `${short.format(value / 1024 ** power)} ${unit}`;
}

/** Writes only changes, so that a user's text selection survives. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
