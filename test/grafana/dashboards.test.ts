/** Structure of the dashboards: most of these rules are those of Grafana's own linter. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import { ROOT } from '../../deploy/kafka/jars.ts';
import { overview } from '../../grafana/overview.ts';
import { workers } from '../../grafana/workers.ts';
import { CATALOGUE } from '../../src/metrics/catalogue.ts';
import {
  DASHBOARD_TEXTS,
  DASHBOARDS,
  type Dashboard,
  panelsOf,
  seriesIn,
} from '../support/dashboards.ts';

// biome-ignore-start lint/suspicious/noTemplateCurlyInString: Grafana's own variable
const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };
// biome-ignore-end lint/suspicious/noTemplateCurlyInString: Grafana's own variable

/** Units of Grafana that fit the metrics of a gateway. */
const UNITS = ['short', 'eps', 'reqps', 'cps', 's', 'bytes', 'Bps', 'percentunit'];
const known = new Set<string>(CATALOGUE.map(({ name }) => name));

const catalogued = (expr: string) => seriesIn(expr).filter((name) => !known.has(name));

test('the files are the output of `make docs`', () => {
  assert.deepEqual(Object.fromEntries(DASHBOARD_TEXTS), {
    'forebay-overview.json': overview(),
    'forebay-workers.json': workers(),
  });
});

test('addresses of dashboards are stable', () => {
  assert.deepEqual(
    [...DASHBOARDS.values()].map(({ uid }) => uid),
    ['forebay-overview', 'forebay-workers'],
  );
});

test('every series of the catalog is on a dashboard', () => {
  const shown = [...DASHBOARDS.values()].flatMap((dashboard) =>
    panelsOf(dashboard).flatMap(({ targets = [] }) =>
      targets.flatMap(({ expr }) => seriesIn(expr)),
    ),
  );
  assert.deepEqual(
    CATALOGUE.map(({ name }) => name).filter((name) => !shown.includes(name)),
    [],
  );
});

test('Grafana finds the dashboards and their data source', () => {
  const read = (path: string) =>
    parse(readFileSync(join(ROOT, 'grafana/provisioning', path), 'utf8'));
  const [provider] = read('dashboards/forebay.yml').providers;
  assert.deepEqual([provider.type, provider.allowUiUpdates], ['file', false]);
  const guide = readFileSync(join(ROOT, 'docs/dashboards.md'), 'utf8');
  assert(guide.includes(`${provider.options.path}`), 'the guide mounts the dashboards there');
  const [source] = read('datasources/prometheus.yml').datasources;
  assert.equal(source.type, 'prometheus');
  const prometheus = readFileSync(join(ROOT, 'deploy/prometheus/prometheus.yml'), 'utf8');
  assert.equal(source.jsonData.timeInterval, parse(prometheus).global.scrape_interval);
});

for (const [name, dashboard] of DASHBOARDS) {
  describe(name, () => {
    const panels = panelsOf(dashboard);
    const targets = panels.flatMap(({ targets = [] }) => targets);

    test('data source, job and instance are chosen, by name and with all of them at first', () => {
      const [source, ...choices] = dashboard.templating.list;
      assert.deepEqual(
        [source?.type, source?.name, source?.label, source?.query],
        ['datasource', 'datasource', 'Data source', 'prometheus'],
      );
      const names = ['job', 'instance', 'stream'];
      if (name.includes('workers')) names.push('worker');
      assert.deepEqual(
        choices.map((choice) => choice.name),
        names,
      );
      for (const { query, datasource, ...choice } of choices) {
        const { type, refresh, multi, includeAll, allValue } = choice;
        assert.deepEqual(datasource, DATASOURCE);
        assert.deepEqual([type, refresh, multi, includeAll], ['query', 2, true, true]);
        assert.equal(allValue, '.+');
        assert.match(String((query as { query: string }).query), /^label_values\(forebay_\w+/);
      }
    });

    test('it has a title and a description, and is not editable', () => {
      assert.equal(dashboard.editable, false);
      assert(dashboard.title.length > 0 && dashboard.description.length > 20, dashboard.title);
      assert.equal(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length);
    });

    test('every panel has a title, a description, a unit, and a text without data', () => {
      for (const { title, description = '', fieldConfig, targets = [] } of panels) {
        assert(title.length > 0 && description.length >= 12, `${title}: ${description}`);
        const { unit = '', noValue = '' } = fieldConfig?.defaults ?? {};
        assert(UNITS.includes(unit), `${title}: unit '${unit}'`);
        assert(noValue.length > 0, `${title}: no text for no value`);
        assert(targets.length > 0, `${title}: asks nothing`);
        const refs = targets.map(({ refId }) => refId);
        assert.equal(new Set(refs).size, refs.length, title);
      }
    });

    test('no panel has a data source of its own', () => {
      for (const { datasource } of [...panels, ...targets, ...dashboard.annotations.list]) {
        assert.deepEqual(datasource, DATASOURCE);
      }
    });

    test('every selector uses the selected jobs and instances, and an existing series', () => {
      for (const { expr } of [...targets, ...dashboard.annotations.list]) {
        assert.deepEqual(catalogued(expr), [], expr);
        const selectors = expr.match(/\bforebay_\w+(\{[^}]*\})?/g) ?? [];
        assert(selectors.length > 0, expr);
        for (const selector of selectors) {
          assert.match(selector, /\{job=~"\$job",instance=~"\$instance"[,}]/);
        }
      }
    });

    test('counters are shown as rates over $__rate_interval, buckets as quantiles', () => {
      for (const { expr } of [...targets, ...dashboard.annotations.list]) {
        const plain = expr.replaceAll(
          /(rate|increase)\(forebay_\w+\{[^}]*\}\[\$__rate_interval\]\)/g,
          '',
        );
        assert.doesNotMatch(plain, /_(total|bucket|sum|count)\{|\[/, expr);
        assert.equal(/_bucket/.test(expr), /histogram_quantile/.test(expr), expr);
      }
    });

    test('no query returns NaN: none divides by 0, or takes quantiles of nothing', () => {
      for (const { expr } of targets) {
        if (expr.includes(' / ')) assert.match(expr, / \/ \(.* > 0\)\)?$/, expr);
        if (expr.includes('histogram_quantile')) assert.match(expr, / >= 0$/, expr);
      }
    });

    test('every line has a name, from labels that its query keeps', () => {
      for (const { expr, legendFormat } of targets) {
        assert(legendFormat.length > 0, expr);
        const [, by] =
          expr.match(/^(?:histogram_quantile\([^,]+, )?(?:sum|max) by \(([^)]*)\)/) ?? [];
        const [, without] = expr.match(/^sum without \(([^)]*)\)/) ?? [];
        const aggregated = /^(sum(?! without)|max|histogram_quantile)\b/.test(expr);
        for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
          const isOut = without?.split(', ').includes(label!) ?? aggregated;
          const kept = by?.split(', ').includes(label!) ?? !isOut;
          assert(kept, `${legendFormat}: ${expr}`);
        }
      }
    });

    test('panels are in the grid, and do not overlap', () => {
      const taken = new Set<string>();
      for (const { title, gridPos } of dashboard.panels) {
        assert(gridPos.x + gridPos.w <= 24, title);
        for (const cell of cells(gridPos)) {
          assert(!taken.has(cell), `${title} lies on another one at ${cell}`);
          taken.add(cell);
        }
      }
    });
  });
}

test('the first row of the overview: throughput, dropped and refused, acknowledgement, unaccounted', () => {
  const { panels } = DASHBOARDS.get('forebay-overview.json')!;
  const firstRow = panels.slice(
    0,
    panels.findIndex(({ type }) => type === 'row'),
  );
  assert.deepEqual(
    firstRow.map(({ title }) => title),
    ['Throughput', 'Dropped and refused', 'Acknowledgement', 'Unaccounted'],
  );
  const rows = panels
    .filter(({ type }) => type === 'row')
    .map(({ title }) => title.split(/[ :]/)[0]);
  assert.deepEqual(rows, [
    'Events',
    'Streams',
    'Dead',
    'Connections',
    'Buffer',
    'Kafka',
    'Workers',
  ]);
});

function* cells({ x, y, w, h }: Dashboard['panels'][number]['gridPos']): Generator<string> {
  for (let column = x; column < x + w; column++) {
    for (let row = y; row < y + h; row++) yield `${column},${row}`;
  }
}
