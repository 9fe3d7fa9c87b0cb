/** Dashboard JSON of Grafana, built from rows of panels. */
import { DATASOURCE, type Panel } from './panels.ts';

export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

export interface DashboardOptions {
  /** Part of the dashboard's URL: must not change. */
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  /** Adds a selection of workers. */
  readonly byWorker: boolean;
  /** Panels above the first row, with the key figures. */
  readonly top: readonly Panel[];
  readonly rows: readonly Row[];
}

const COLUMNS = 24;
/** Schema version of Grafana 11.0; readable by 10 and by later versions. */
const SCHEMA_VERSION = 39;

/** @returns the content of a file in grafana/dashboards */
export function dashboardJson(options: DashboardOptions): string {
  const { uid, title, description, byWorker } = options;
  const dashboard = {
    uid,
    title,
    description,
    tags: ['forebay'],
    editable: false,
    graphTooltip: 1,
    schemaVersion: SCHEMA_VERSION,
    version: 1,
    refresh: '30s',
    time: { from: 'now-1h', to: 'now' },
    timezone: '',
    links: [linkToOthers()],
    templating: { list: variables(byWorker) },
    annotations: { list: [workerDeaths()] },
    panels: placed(options),
  };
  return `${JSON.stringify(dashboard, null, 2)}\n`;
}

function linkToOthers() {
  const kept = { includeVars: true, keepTime: true, targetBlank: false };
  return { type: 'dashboards', title: 'Forebay', tags: ['forebay'], asDropdown: false, ...kept };
}

function variables(byWorker: boolean) {
  const job = 'job=~"$job"';
  const list = [
    { type: 'datasource', name: 'datasource', label: 'Data source', query: 'prometheus' },
    labelValues('job', 'forebay_build_info'),
    labelValues('instance', `forebay_build_info{${job}}`),
  ];
  list.push(labelValues('stream', `forebay_stream_info{${job},instance=~"$instance"}`));
  if (!byWorker) return list;
  return [...list, labelValues('worker', `forebay_connections{${job},instance=~"$instance"}`)];
}

/** A selection among the values of a label; all by default. */
function labelValues(label: string, series: string) {
  const query = `label_values(${series}, ${label})`;
  return {
    type: 'query',
    name: label,
    label: `${label[0]?.toUpperCase()}${label.slice(1)}`,
    datasource: DATASOURCE,
    query: { query, refId: `variable-${label}` },
    definition: query,
    // Queried on each change of the time range: instances change.
    refresh: 2,
    sort: 3,
    multi: true,
    includeAll: true,
    allValue: '.+',
    current: { selected: true, text: ['All'], value: ['$__all'] },
  };
}

function workerDeaths() {
  const restarts = 'forebay_worker_restarts_total{job=~"$job",instance=~"$instance"}';
  return {
    name: 'Worker deaths',
    datasource: DATASOURCE,
    enable: true,
    iconColor: 'red',
    expr: `sum by (instance, cause) (increase(${restarts}[$__rate_interval])) > 0`,
    titleFormat: 'A worker died',
    textFormat: '{{instance}}: {{cause}}',
  };
}

/** Assigns ids and positions: from left to right, below the title of the row. */
function placed({ top, rows }: DashboardOptions): object[] {
  const panels: object[] = [];
  let y = 0;
  const place = (row: readonly Panel[]) => {
    let [x, height] = [0, 0];
    for (const { size, body } of row) {
      if (x + size.w > COLUMNS) [x, y, height] = [0, y + height, 0];
      panels.push({ id: panels.length + 1, gridPos: { x, y, ...size }, ...body });
      x += size.w;
      height = Math.max(height, size.h);
    }
    y += height;
  };
  place(top);
  for (const { title, panels: row } of rows) {
    const gridPos = { x: 0, y: y++, w: COLUMNS, h: 1 };
    panels.push({
      id: panels.length + 1,
      type: 'row',
      title,
      collapsed: false,
      gridPos,
      panels: [],
    });
    place(row);
  }
  return panels;
}
