import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nearest } from '../../src/common/nearest.ts';

const KNOWN = ['type', 'title', 'enum', 'required', 'minLength'];
const one = () => 1;

test('a letter changed, added, left out or swapped, and letter case, lead to the known name', () => {
  const meant = { tipe: 'type', typee: 'type', typ: 'type', tpye: 'type', TYPE: 'type' };
  for (const [name, known] of Object.entries(meant)) assert.equal(nearest(name, KNOWN, one), known);
  assert.equal(nearest('minlength', KNOWN, one), 'minLength');
});

test('the nearest name is found, and none beyond the maximum distance', () => {
  assert.equal(
    nearest('titl', ['tile', 'title', 'til'], () => 3),
    'title',
  );
  assert.equal(nearest('requried', KNOWN, one), 'required');
  assert.equal(nearest('rqeuried', KNOWN, one), undefined);
  assert.equal(
    nearest('rqeuried', KNOWN, () => 2),
    'required',
  );
  assert.equal(nearest('', KNOWN, one), undefined);
  assert.equal(nearest('type', [], one), undefined);
});
