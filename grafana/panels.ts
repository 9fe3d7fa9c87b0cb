/** Panel types of the dashboards, in Grafana's dashboard JSON. */

/** `short`: a plain count; `eps`: events per second; `s`, `bytes`, `Bps`, `percentunit` as named. */
export type Unit = 'short' | 'eps' | 'reqps' | 'cps' | 's' | 'bytes' | 'Bps' | 'percentunit';

export interface Query {
  readonly expr: string;
  /** Name of a line; Grafana substitutes labels. */
  readonly legend: string;
}

/** Thresholds of the colors, lowest first. */
export type Steps = readonly (readonly [atLeast: number | null, color: string])[];

interface Common {
  readonly title: string;
  /** Meaning of the values, and their interpretation. */
  readonly description: string;
  readonly unit: Unit;
  readonly queries: readonly Query[];
  /** Text shown without data. */
  readonly empty?: string;
}

export interface LinesOptions extends Common {
  /** Stacks the lines, for additive amounts; default false. */
  readonly stacked?: boolean;
  /** Minimum upper end of the axis. */
  readonly max?: number;
}

export interface NumbersOptions extends Common {
  /** Default: one color. */
  readonly steps?: Steps;
}

/** Width and height of a panel in the grid of 24 columns. */
export interface Size {
  readonly w: number;
  readonly h: number;
}

/** A panel without id and position, which the dashboard assigns. */
export interface Panel {
  readonly size: Size;
  readonly body: Readonly<Record<string, unknown>> & { readonly title: string };
}

export const DATASOURCE = {
  type: 'prometheus',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana's own variable
  uid: '${datasource}',
} as const;

/** Text without data: undivided series start at 0, so no instance matches then. */
const UNSCRAPED = 'no scrape in this time';
/** For means and quantiles. */
export const NONE_STORED = 'nothing stored in this time';
const LINES: Size = { w: 8, h: 8 };
const NUMBERS: Size = { w: 6, h: 5 };
const NEUTRAL: Steps = [[null, 'text']];

/** Time series, with a legend sorted by maximum. */
export function lines(options: LinesOptions, size = LINES): Panel {
  const { stacked = false, max, empty = UNSCRAPED } = options;
  const custom = {
    drawStyle: 'line',
    lineWidth: 1,
    fillOpacity: stacked ? 30 : 0,
    showPoints: 'never',
    spanNulls: false,
    stacking: { mode: stacked ? 'normal' : 'none', group: 'A' },
  };
  const defaults = {
    unit: options.unit,
    min: 0,
    ...(max !== undefined && { max }),
    noValue: empty,
    color: { mode: 'palette-classic' },
    custom,
  };
  const legend = {
    displayMode: 'table',
    placement: 'bottom',
    showLegend: true,
    calcs: ['lastNotNull', 'max'],
    sortBy: 'Max',
    sortDesc: true,
  };
  return panel('timeseries', options, size, {
    fieldConfig: { defaults, overrides: [] },
    options: { legend, tooltip: { mode: 'multi', sort: 'desc' } },
  });
}

/** Key figures: large numbers with a sparkline. */
export function numbers(options: NumbersOptions, size = NUMBERS): Panel {
  const steps = (options.steps ?? NEUTRAL).map(([value, color]) => ({ value, color }));
  const defaults = {
    unit: options.unit,
    noValue: options.empty ?? UNSCRAPED,
    color: { mode: 'thresholds' },
    thresholds: { mode: 'absolute', steps },
  };
  return panel('stat', options, size, {
    fieldConfig: { defaults, overrides: [] },
    options: {
      colorMode: 'value',
      graphMode: 'area',
      justifyMode: 'auto',
      orientation: 'auto',
      textMode: 'value_and_name',
      reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
    },
  });
}

/** Table of the labels of an info series, a row each. */
export function table(options: Common, columns: readonly string[], size = LINES): Panel {
  const names = ['Time', 'Value', '__name__'];
  const excludeByName = Object.fromEntries(names.map((name) => [name, true]));
  const indexByName = Object.fromEntries(columns.map((name, index) => [name, index]));
  const instant = { instant: true, range: false, format: 'table' };
  return panel(
    'table',
    options,
    size,
    {
      fieldConfig: { defaults: { unit: options.unit, noValue: UNSCRAPED }, overrides: [] },
      options: { showHeader: true },
      transformations: [{ id: 'organize', options: { excludeByName, indexByName } }],
    },
    instant,
  );
}

function panel(
  type: string,
  { title, description, queries }: Common,
  size: Size,
  rest: object,
  kind: object = { instant: false, range: true },
): Panel {
  const targets = queries.map(({ expr, legend }, index) => ({
    refId: String.fromCharCode('A'.charCodeAt(0) + index),
    datasource: DATASOURCE,
    editorMode: 'code',
    expr,
    legendFormat: legend,
    ...kind,
  }));
  return { size, body: { type, title, description, datasource: DATASOURCE, targets, ...rest } };
}
