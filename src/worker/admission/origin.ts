/**
 * Whether a browser's page may connect: only pages of the same host. No Origin header means that
 * it is not a browser, which would always send one.
 * @param origin and host: the request's headers, '' when absent
 */
export function isSameHost(origin: string, host: string): boolean {
  if (origin === '') return true;
  try {
    const from = new URL(origin);
    return from.host !== '' && from.host === new URL(`${from.protocol}//${host}`).host;
  } catch {
    return false;
  }
}
