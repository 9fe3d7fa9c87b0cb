import assert from 'node:assert/strict';
import { test } from 'node:test';

const file = new URL('../../../src/primary/live-view/static/texts.js', import.meta.url);
const { seconds } = (await import(file.href)) as { seconds(value: number): string };

test('a duration never shows 60 seconds', () => {
  const shown = { 0.25: '0.25 s', 9.99: '9.99 s', 59.4: '59 s', 59.5: '1 min', 60: '1 min' };
  const beyond = {
    61: '1 min 1 s',
    119.4: '1 min 59 s',
    119.7: '2 min',
    600: '10 min',
    7290: '2 h 1 min',
  };
  for (const [value, text] of Object.entries({ ...shown, ...beyond })) {
    assert.equal(seconds(Number(value)), text, `${value} s`);
  }
});
