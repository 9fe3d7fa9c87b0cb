import type { HttpRequest } from './transport/transport.ts';

/** Returns the values of a parameter in the query, in order. */
export function queryValues(request: HttpRequest, name: string): string[] {
  const query = request.getQuery();
  return query === '' ? [] : new URLSearchParams(query).getAll(name);
}

/** Returns whether a parameter is 1; without it, or with 0, false. Undefined = malformed. */
export function queryFlag(request: HttpRequest, name: string): boolean | undefined {
  const [value = '0', ...more] = queryValues(request, name);
  if (more.length > 0 || (value !== '0' && value !== '1')) return undefined;
  return value === '1';
}

/** Parts of a response that a request asks for. */
export interface ShownParts {
  /** The first stored records. */
  readonly records: boolean;
  /** All violations of the schema. */
  readonly explanation: boolean;
  /** Results without storing anything, with records and violations. */
  readonly dryRun: boolean;
}

const NOTHING: ShownParts = { records: false, explanation: false, dryRun: false };

/** Returns the parts that the query asks for, or a message about a malformed one. */
export function shownParts(request: HttpRequest): ShownParts | string {
  if (request.getQuery() === '') return NOTHING;
  const records = queryFlag(request, 'records');
  if (records === undefined) return 'records must be 0 or 1';
  const explanation = queryFlag(request, 'explain');
  if (explanation === undefined) return 'explain must be 0 or 1';
  const dryRun = queryFlag(request, 'dryRun');
  if (dryRun === undefined) return 'dryRun must be 0 or 1';
  return { records, explanation, dryRun };
}
