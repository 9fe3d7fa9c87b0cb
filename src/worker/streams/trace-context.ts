/** Validation of W3C Trace Context (w3.org/TR/trace-context). */
import { LIMITS } from '../../config/limits.ts';

const TRACEPARENT = /^(?!ff)([0-9a-f]{2})-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** A member of a tracestate, which may be empty. */
const MEMBER = /^(?:[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{1,256})?$/;

/** Returns whether a text is a valid traceparent without parts of later versions. */
export function isTraceparent(text: string): boolean {
  return TRACEPARENT.test(text);
}

/** Returns whether a text is a valid tracestate of permitted length. */
export function isTracestate(text: string): boolean {
  if (text.length > LIMITS.recordHeaders.tracestateBytes) return false;
  return text.split(',').every((member) => MEMBER.test(member.trim()));
}
