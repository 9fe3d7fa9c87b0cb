/** Maximum depth of causes: an error may be its own cause. */
const CAUSES_MAX = 5;

/**
 * Text of an error with its causes, which in Node.js hold the details: `fetch failed: getaddrinfo
 * ENOTFOUND events.example.com`.
 */
export function textOf(error: unknown, left = CAUSES_MAX): string {
  const { message, cause, errors } = Object(error) as Partial<AggregateError>;
  const inner: unknown = cause ?? errors?.[0];
  const texts = [message ?? String(error), inner && left > 0 && textOf(inner, left - 1)];
  return texts.filter(Boolean).join(': ').trim() || String(error);
}
