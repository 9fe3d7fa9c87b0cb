/** Validation of W3C Trace Context (w3.org/TR/trace-context). */
import { LIMITS } from '../../config/limits.ts';

const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

const NAME = '[a-z0-9][a-z0-9_\\-*/@]{0,255}';
/** Printable ASCII but `,` and `=`, without a space at the end. */
const VALUE = '[ -+\\--<>-~]{0,255}[!-+\\--<>-~]';
/** A member of a tracestate, which may be empty, with white space around it. */
const MEMBER = new RegExp(`^[\\t ]*(?:${NAME}=${VALUE}[\\t ]*)?$`);

/** Returns whether a text is a valid traceparent without parts of later versions. */
export function isTraceparent(text: string): boolean {
  return TRACEPARENT.test(text);
}

/** Returns whether a text is a valid tracestate of permitted length. */
export function isTracestate(text: string): boolean {
  if (text.length > LIMITS.recordHeaders.tracestateBytes) return false;
  return text.split(',').every((member) => MEMBER.test(member));
}
