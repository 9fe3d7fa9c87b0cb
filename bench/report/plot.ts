/** Line plots as SVG, for light and dark pages. Output is deterministic. */
import type { Curve, Plot } from '../result.ts';
import { type Axis, linearAxis, spanningAxis } from './axis.ts';

const WIDTH = 480;
const HEIGHT = 280;
const MARGIN = { left: 72, top: 48, bottom: 60, right: 24 };
const LEGEND = { line: 28, row: 20, gap: 8, character: 7 };
/** Colors for light and dark pages; repeated colors have different dashes. */
const LIGHT = ['#0550ae', '#bc4c00', '#116329', '#8250df', '#9a6700', '#a40e26'];
const DARK = ['#6cb6ff', '#f69d50', '#6bc46d', '#dcbdfb', '#daaa3f', '#ff938a'];
const DASHES = ['', '7 4', '2 3', '9 3 2 3', '4 2'];

export function plotSvg({ title, xLabel, yLabel, curves }: Plot): string {
  const shown = curves.map(({ name, points }) => ({ name, points: points.filter(isFinitePoint) }));
  const all = shown.flatMap(({ points }) => points);
  const x = spanningAxis(all.length === 0 ? [0] : all.map((point) => point.x));
  const y = linearAxis(all.map((point) => point.y));
  const longest = Math.max(0, ...curves.map(({ name }) => name.length));
  const legendWidth = LEGEND.line + LEGEND.gap + longest * LEGEND.character;
  const width = MARGIN.left + WIDTH + MARGIN.right + legendWidth + MARGIN.right;
  const height = MARGIN.top + HEIGHT + MARGIN.bottom;
  const middle = MARGIN.top + HEIGHT / 2;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" ` +
      `width="${width}" height="${height}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<style>${style()}</style>`,
    `<rect class="back" width="${width}" height="${height}"/>`,
    text(MARGIN.left, MARGIN.top - 20, title, 'class="title"'),
    ...x.ticks.flatMap((tick) => xTick(x, tick)),
    ...y.ticks.flatMap((tick) => yTick(y, tick)),
    text(MARGIN.left + WIDTH / 2, height - 16, xLabel, 'text-anchor="middle"'),
    text(18, middle, yLabel, `text-anchor="middle" transform="rotate(-90 18 ${middle})"`),
    ...shown.flatMap((curve, index) => drawn(curve, index, x, y)),
    ...shown.flatMap(({ name }, index) => legend(name, index)),
    '</svg>',
  ];
  return `${parts.join('\n')}\n`;
}

function isFinitePoint({ x, y }: Curve['points'][number]): boolean {
  return Number.isFinite(x) && Number.isFinite(y);
}

function xTick(axis: Axis, tick: number): string[] {
  const [at, bottom] = [left(axis, tick), MARGIN.top + HEIGHT];
  const words = tick.toLocaleString('en-US', { maximumSignificantDigits: 6 });
  return [line(at, MARGIN.top, at, bottom), text(at, bottom + 20, words, 'text-anchor="middle"')];
}

function yTick(axis: Axis, tick: number): string[] {
  const at = top(axis, tick);
  const words = tick.toLocaleString('en-US', { maximumSignificantDigits: 6 });
  return [
    line(MARGIN.left, at, MARGIN.left + WIDTH, at),
    text(MARGIN.left - 8, at + 4, words, 'text-anchor="end"'),
  ];
}

function drawn({ points }: Curve, index: number, x: Axis, y: Axis): string[] {
  const places = points.map((point) => [left(x, point.x), top(y, point.y)].map(short));
  const style = styleOf(index);
  const dots = places.map(
    ([cx, cy]) => `<circle class="${style.dot}" cx="${cx}" cy="${cy}" r="3"/>`,
  );
  return [
    `<polyline ${style.line} points="${places.map((at) => at.join(',')).join(' ')}"/>`,
    ...dots,
  ];
}

function legend(name: string, index: number): string[] {
  const at = MARGIN.left + WIDTH + MARGIN.right;
  const y = MARGIN.top + 8 + index * LEGEND.row;
  const sample = `<polyline ${styleOf(index).line} points="${at},${y} ${at + LEGEND.line},${y}"/>`;
  return [sample, text(at + LEGEND.line + LEGEND.gap, y + 4, name)];
}

function styleOf(index: number): { line: string; dot: string } {
  const colour = index % LIGHT.length;
  const dash = DASHES[index % DASHES.length];
  const dashes = dash === '' ? '' : ` stroke-dasharray="${dash}"`;
  return { line: `class="line l${colour}"${dashes}`, dot: `d${colour}` };
}

function style(): string {
  const colours = (list: readonly string[]) =>
    list.map((colour, i) => `.l${i}{stroke:${colour}}.d${i}{fill:${colour}}`).join('');
  const page = (back: string, ink: string, grid: string) =>
    `.back{fill:${back}}text{fill:${ink}}.grid{stroke:${grid}}`;
  return (
    'text{font:12px sans-serif}.title{font-size:15px;font-weight:bold}' +
    `.line{fill:none;stroke-width:2}${page('#fff', '#1f2328', '#d8dee4')}${colours(LIGHT)}` +
    `@media(prefers-color-scheme:dark){${page('#0d1117', '#e6edf3', '#30363d')}${colours(DARK)}}`
  );
}

function left(axis: Axis, value: number): number {
  return MARGIN.left + axis.at(value) * WIDTH;
}

function top(axis: Axis, value: number): number {
  return MARGIN.top + (1 - axis.at(value)) * HEIGHT;
}

function line(x1: number, y1: number, x2: number, y2: number): string {
  const [a, b, c, d] = [x1, y1, x2, y2].map(short);
  return `<line class="grid" x1="${a}" y1="${b}" x2="${c}" y2="${d}"/>`;
}

function text(x: number, y: number, words: string, more = ''): string {
  const attributes = more === '' ? '' : ` ${more}`;
  return `<text x="${short(x)}" y="${short(y)}"${attributes}>${escaped(words)}</text>`;
}

function short(value: number): string {
  return String(Number(value.toFixed(1)));
}

function escaped(words: string): string {
  const entities: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
  };
  return words.replaceAll(/[&<>"]/g, (character) => entities[character]!);
}
