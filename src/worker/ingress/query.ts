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
