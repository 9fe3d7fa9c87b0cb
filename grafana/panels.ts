/** The kinds of panels that the dashboards are made of, as Grafana's dashboard JSON has them. */

/** `short`: a plain count; `eps`: events a second; `s`, `bytes`, `Bps`, `percentunit` as named. */
export type Unit = 'short' | 'eps' | 'reqps' | 'cps' | 's' | 'bytes' | 'Bps' | 'percentunit';

export interface Query {
  readonly expr: string;
  /** What a line is called: Grafana fills labels in. */
  readonly legend: string;
}

/** What a value has to reach for a colour, lowest first. */
export type Steps = readonly (readonly [atLeast: number | null, color: string])[];

interface Common {
  readonly title: string;
  /** What it shows, and what to think of it. */
  readonly description: string;
  readonly unit: Unit;
  readonly queries: readonly Query[];
  /** What stands there when no query has an answer. */
  readonly empty?: string;
}

export interface LinesOptions extends Common {
  /** Amounts that add up to something; default false. */
  readonly stacked?: boolean;
  /** The axis ends there at least. */
  readonly max?: number;
}

export interface NumbersOptions extends Common {
  /** Default: one colour. */
  readonly steps?: Steps;
}

/** Width and height of a panel in the grid of 24 columns. */
export interface Size {
  readonly w: number;
  readonly h: number;
}

/** What a dashboard places in its grid; ids and places are given there. */
export interface Panel {
  readonly size: Size;
  readonly body: Readonly<Record<string, unknown>> & { readonly title: string };
}

export const DATASOURCE = {
  type: 'prometheus',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana's own variable
  uid: '${datasource}',
} as const;

/** Every series is there from the start with 0: where it is not divided, nothing means this. */
const UNSCRAPED = 'no scrape in this time';
/** For means and quantiles. */
export const NONE_STORED = 'nothing stored in this time';
const LINES: Size = { w: 8, h: 8 };
const NUMBERS: Size = { w: 6, h: 5 };
const NEUTRAL: Steps = [[null, 'text']];

/** Lines over time, with a legend that puts the largest first. */
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

/** A few large numbers with a line behind each: what one looks at first. */
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

/** The labels of a series that says what runs, one row each. */
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
