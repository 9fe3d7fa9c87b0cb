import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isTraceparent, isTracestate } from '../../../src/worker/streams/trace-context.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';

test('a traceparent has a version, ids in lower case that are not zero, and flags', () => {
  for (const text of [
    `00-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-ff`,
    `cc-${TRACE}-${SPAN}-00`,
  ]) {
    assert(isTraceparent(text), text);
  }
  for (const text of [
    '',
    `ff-${TRACE}-${SPAN}-01`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-1`,
    `00-${TRACE}-${SPAN}-01-more`,
    `00-${TRACE.slice(1)}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01 `,
    `00-${TRACE}-${SPAN}-01\n`,
    `00-${TRACE}-${SPAN}-0g`,
  ]) {
    assert(!isTraceparent(text), JSON.stringify(text));
  }
});

const membersOf = (count: number) =>
  Array.from({ length: count }, (_, index) => `k${index}=1`).join();

test('a tracestate is a list of up to 32 members with different keys, up to 512 characters', () => {
  for (const text of [
    'congo=t61rcWkgMzE',
    'rojo=00f067aa0ba902b7,congo=t61rcWkgMzE',
    'fw529a3039@dt=FfAAA_-*/; ~!',
    ' a=1 ,\tb=2\t,,c=3',
    `a=${'x'.repeat(256)},b=${'y'.repeat(251)}`,
    membersOf(32),
  ]) {
    assert(isTracestate(text), text);
  }
  for (const text of [
    'a',
    'a=',
    '=1',
    'A=1',
    'a=1;b=2,c',
    'a=1=2',
    'a =1',
    'a=é',
    'a=1\u00a0',
    'a=1\u2028,b=2',
    'a=\x01',
    'a=1\nb=2',
    `a=${'x'.repeat(257)}`,
    `a=${'x'.repeat(256)},b=${'y'.repeat(252)}`,
    'a=1,b=2, a=3',
    membersOf(33),
  ]) {
    assert(!isTracestate(text), JSON.stringify(text));
  }
});
