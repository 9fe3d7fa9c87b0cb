/** Declarations of a client that its events may be repeats: docs/protocol.md, Marked repeats. */
import { queryValues } from './query.ts';
import type { HttpRequest } from './transport/transport.ts';

/** Number of events, an exact double. */
const COUNT = /^\d{1,15}$/;

/**
 * Returns the number of first events of a connection that may be repeats, by `?resent=N` of its
 * handshake; undefined = malformed.
 */
export function resentEvents(request: HttpRequest): number | undefined {
  const [value = '0', ...more] = queryValues(request, 'resent');
  return more.length === 0 && COUNT.test(value) ? Number(value) : undefined;
}

/**
 * Returns infinity if all events of a body may be repeats, by `Forebay-Resent: 1` or `?resent=1`,
 * which a beacon can send; otherwise 0. Undefined = malformed.
 */
export function resentBody(request: HttpRequest): number | undefined {
  // Several headers are rejected before: see framingFault().
  const header = request.getHeader('forebay-resent');
  if (header === '' && request.getQuery() === '') return 0;
  const values = queryValues(request, 'resent');
  if (values.length > 1) return undefined;
  if (header !== '') values.push(header);
  if (!values.every((value) => value === '0' || value === '1')) return undefined;
  return values.includes('1') ? Number.POSITIVE_INFINITY : 0;
}
