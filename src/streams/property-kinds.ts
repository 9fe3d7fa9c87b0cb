/** Kinds of properties of the stream file, as JSON Schemas with the message about another value. */

/** A whole number from `minimum` to `maximum`. */
export function wholeNumber(minimum: number, maximum: number) {
  const errorMessage = `must be a whole number from ${minimum} to ${maximum}`;
  return { type: 'integer', minimum, maximum, errorMessage };
}

/** A text that matches `pattern`. */
export function text({ pattern, expected }: { pattern: RegExp; expected: string }) {
  return { type: 'string', pattern: pattern.source, errorMessage: `must be ${expected}` };
}

/** One of these texts. */
export function oneOf(...values: readonly string[]) {
  const last = values.at(-1);
  const others = values.slice(0, -1).join(', ');
  return { enum: values, errorMessage: `must be ${others} or ${last}` };
}
