import fc from 'fast-check';

/** White space of JSON; without LF if `lines` is false, for text in a single line. */
function blank(lines = true): fc.Arbitrary<string> {
  return fc.string({ unit: fc.constantFrom(...(lines ? ' \t\r\n' : ' \t\r')), maxLength: 3 });
}

function text(lines: boolean): fc.Arbitrary<string> {
  const pad = blank(lines);
  const plain = fc.string({ unit: 'grapheme' }).map((value) => JSON.stringify(value));
  const escaped = fc
    .array(fc.constantFrom('\\"', '\\\\', '\\/', '\\n', '\\u0022', '\\ud83d\\ude00', ']', ',', 'é'))
    .map((parts) => `"${parts.join('')}"`);
  const key = fc.oneof(plain, escaped, fc.constant('"__proto__"'));
  const number = fc.constantFrom('0', '-1', '1.0', '1e400', '12345678901234567890', '-0.5E+3');
  return fc.letrec<{ value: string; array: string; object: string }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.oneof(plain, escaped, number, fc.constantFrom('true', 'false', 'null')),
      tie('array'),
      tie('object'),
    ),
    array: fc
      .array(fc.tuple(pad, tie('value'), pad), { maxLength: 4 })
      .map((items) => `[${items.map((item) => item.join('')).join(',')}]`),
    object: fc
      .array(fc.tuple(pad, key, pad, fc.constant(':'), pad, tie('value'), pad), { maxLength: 4 })
      .map((fields) => `{${fields.map((field) => field.join('')).join(',')}}`),
  })).value;
}

/** JSON values in unusual notations: white space, escapes, duplicate keys, large numbers. */
export const jsonText = Object.assign(() => text(true), { blank, line: () => text(false) });
