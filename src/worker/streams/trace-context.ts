/** Validation of W3C Trace Context (w3.org/TR/trace-context). */
import { LIMITS } from '../../config/limits.ts';

const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

const NAME = '[a-z0-9][a-z0-9_\\-*/@]{0,255}';
/** Printable ASCII but `,` and `=`, without a space at the end. */
const VALUE = '[ -+\\--<>-~]{0,255}[!-+\\--<>-~]';
/** A member of a tracestate, which may be empty, with white space around it. */
const MEMBER = new RegExp(`^[\\t ]*(?:${NAME}=${VALUE}[\\t ]*)?$`);

/** Maximum number of members, each with a key of its own. */
const MEMBERS_MAX = 32;

/** Returns whether a text is a valid traceparent without parts of later versions. */
export function isTraceparent(text: string): boolean {
  return TRACEPARENT.test(text);
}

/** Returns whether a text is a valid tracestate of permitted length. */
export function isTracestate(text: string): boolean {
  if (text.length > LIMITS.recordHeaders.tracestateBytes) return false;
  const members = text.split(',');
  if (!members.every((member) => MEMBER.test(member))) return false;
  const keys = members.map((member) => member.trim().split('=', 1)[0]).filter((key) => key !== '');
  return keys.length <= MEMBERS_MAX && new Set(keys).size === keys.length;
}
