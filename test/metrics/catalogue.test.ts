/** Names, types, units and labels follow prometheus.io/docs/practices/naming. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CATALOGUE } from '../../src/metrics/catalogue.ts';
import { labelNames, type Series } from '../../src/metrics/series.ts';

const catalogue = CATALOGUE as readonly Series[];
/** A name without the suffix of its type. */
const stem = ({ name }: Series) => name.replace(/_total$/, '');
/** Reserved by Prometheus, or by its text format. */
const RESERVED = ['le', 'quantile', 'job', 'instance'];

test('names are unique, including the parts of histograms', () => {
  const names = catalogue.flatMap(({ name, buckets }) =>
    buckets ? [name, `${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  );
  assert.deepEqual(
    names.filter((name, index) => names.indexOf(name) !== index),
    [],
  );
});

test('names are words in lower case; counters, and nothing else, end with _total', () => {
  for (const series of catalogue) {
    const { name, type } = series;
    assert.match(name, /^forebay(_[a-z]+)+$/);
    assert.equal(name.endsWith('_total'), type === 'counter', name);
    assert.doesNotMatch(stem(series), /_(total|count|sum|bucket|counter|gauge|histogram|summary)$/);
  }
});

/** Their names end with what is done to the counted things. */
const IMPLIED = new Set(['forebay_schema_candidate_evaluated_total']);

test('units are base units and end the name; counted things are in it', () => {
  for (const series of catalogue) {
    const { name, unit } = series;
    const named = /_(seconds|bytes)$/.exec(stem(series))?.[1];
    assert.doesNotMatch(
      name,
      /_(ms|millis\w*|micro\w*|minutes|hours|[km]i?b|bits|percent|ratio)\b/,
    );
    if (unit === undefined) assert(named === undefined && series.type === 'gauge', name);
    else if (unit === 'seconds' || unit === 'bytes') assert.equal(named, unit, name);
    else {
      assert.equal(named, undefined, name);
      const isNamed = stem(series).split('_').includes(unit) || IMPLIED.has(name);
      assert(isNamed, `${name} counts ${unit}`);
    }
  }
});

test('labels are separate words, with values from a fixed and short list', () => {
  for (const series of catalogue) {
    const names = labelNames(series);
    assert.equal(new Set(names).size, names.length, series.name);
    for (const name of names) {
      assert.match(name, /^[a-z]+$/);
      assert(!RESERVED.includes(name), `${series.name}: ${name}`);
    }
    const values = series.label?.values ?? ['-'];
    assert(values.length > 0 && values.length <= 24, `${series.name}: ${values.length} values`);
    assert.equal(new Set(values).size, values.length, series.name);
    for (const value of series.label?.values ?? []) assert.match(value, /^[a-z0-9_]+$/);
  }
});

test('histograms, and nothing else, have buckets: positive and ascending', () => {
  for (const { name, type, buckets, label } of catalogue) {
    assert.equal(buckets !== undefined, type === 'histogram', name);
    const bounds = buckets ?? [];
    assert(
      bounds.every((bound, index) => bound > (bounds[index - 1] ?? 0)),
      name,
    );
    const series = (bounds.length + 3) * (label?.values.length ?? 1);
    assert(series <= 150, `${name} has ${series} series`);
  }
});

test('only gauges are momentary: nothing else is the maximum of two workers', () => {
  for (const { name, type, greatest } of catalogue) {
    assert(greatest === undefined || type === 'gauge', name);
  }
});

test('each has a one-line help that says something, and fits in a table', () => {
  for (const { name, help } of catalogue) {
    assert.match(help, /^[A-Za-z0-9][^\n|\\]{10,}\.$/, name);
  }
});
