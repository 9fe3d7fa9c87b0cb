import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plotSvg } from '../../../bench/report/plot.ts';
import type { Plot } from '../../../bench/result.ts';

const plot: Plot = {
  file: 'cpu',
  title: 'CPU & <load>',
  xLabel: 'events/s',
  yLabel: 'us "each"',
  curves: [
    {
      name: 'gateway',
      points: [
        { x: 1_000, y: 40 },
        { x: 60_000, y: 5 },
      ],
    },
    { name: 'p50 < p99', points: [{ x: 1_000, y: 8 }] },
  ],
};

/** Names of the elements in document order. @throws if the text is not well-formed */
function elementsOf(xml: string): string[] {
  const [names, open]: [string[], string[]] = [[], []];
  const node = /([^<]*)<(\/?)([a-z]+)((?: [\w:-]+="[^"<]*")*)(\/?)>/gy;
  let end = 0;
  for (const [whole, text, closes, name, attributes, empty] of xml.matchAll(node)) {
    assert(open.length > 0 || text!.trim() === '', `text outside: ${text}`);
    assert.doesNotMatch(`${text}${attributes}`, /&(?!(amp|lt|gt|quot);)/);
    assert(end === 0 || open.length > 0, `a second root: ${name}`);
    if (closes === '/') assert.equal(open.pop(), name);
    else {
      names.push(name!);
      if (empty === '') open.push(name!);
    }
    end += whole.length;
  }
  assert.deepEqual([open, xml.slice(end).trim()], [[], '']);
  return names;
}

test('the check itself detects malformed text', () => {
  for (const wrong of ['<a><b></a></b>', '<a>', '<a>&</a>', '<a/><b/>', '<a x="<"/>', '<a/>b']) {
    assert.throws(() => elementsOf(wrong), assert.AssertionError, wrong);
  }
});

test('plots are well-formed whatever their texts are', () => {
  const names = elementsOf(plotSvg(plot));
  assert.equal(names[0], 'svg');
  assert.equal(names.filter((name) => name === 'circle').length, 3, 'a dot for each point');
  assert.equal(names.filter((name) => name === 'polyline').length, 4, 'each curve and its legend');
});

test('title, labels, ticks and names are present, escaped', () => {
  const svg = plotSvg(plot);
  for (const text of [
    'CPU &amp; &lt;load&gt;',
    'us &quot;each&quot;',
    'p50 &lt; p99',
    'events/s',
  ]) {
    assert(svg.includes(`>${text}</text>`), text);
  }
  for (const tick of ['1,000', '10,000', '50,000', '100,000']) {
    assert(svg.includes(`>${tick}</text>`), tick);
  }
});

test('a plot has colors for light and dark', () => {
  assert.match(plotSvg(plot), /<style>.*@media\(prefers-color-scheme:dark\).*<\/style>/);
});

test('the same plot yields the same text', () => {
  assert.equal(plotSvg(plot), plotSvg(structuredClone(plot)));
});

test('missing points are omitted, and a plot without points is no error', () => {
  const curve = {
    name: 'a',
    points: [
      { x: 1, y: Number.NaN },
      { x: 2, y: 3 },
    ],
  };
  const svg = plotSvg({ ...plot, curves: [curve] });
  assert.equal(elementsOf(svg).filter((name) => name === 'circle').length, 1);
  for (const curves of [[], [{ name: 'empty', points: [] }]]) {
    const none = plotSvg({ ...plot, curves });
    elementsOf(none);
    assert.doesNotMatch(none, /NaN|Infinity/);
  }
});
