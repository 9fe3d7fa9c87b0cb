/** Credentials in texts for humans: user info and query strings of URLs, and keys in PEM. */

export const HIDDEN = '(hidden)';

/**
 * A URL in a text, in JSON too: up to a space, an angle bracket, a quote or an escaped end of line.
 * The length of a scheme is bounded: a long word is gone through once.
 */
const URL_IN_TEXT = /\b([a-z][a-z0-9+.-]{0,30}:\/\/)((?:[^ \t\r\n"<>\\]|\\[^"nrt])*)/gi;
const SCHEME = /^(\s*[a-z][a-z0-9+.-]*:\/\/)?(.*)$/is;
/** Up to its end, or that of a text in JSON. */
const PEM = /-----BEGIN [A-Z ]+-----(?:[^"]*?-----END [A-Z ]+-----|[^"]*)/g;

/** Hides credentials in every URL of `text`, and PEM blocks. */
export function redacted(text: string): string {
  const withoutPem = text.includes('-----BEGIN ') ? text.replace(PEM, HIDDEN) : text;
  if (!withoutPem.includes('://')) return withoutPem;
  return withoutPem.replace(URL_IN_TEXT, (_, scheme: string, rest: string) => {
    return scheme + withoutCredentials(rest);
  });
}

/** Hides credentials in a text that may be a URL or an address as a whole, well-formed or not. */
export function redactedValue(text: string): string {
  const [, scheme = '', rest = ''] = SCHEME.exec(text.replace(PEM, HIDDEN)) ?? [];
  return scheme + withoutCredentials(rest);
}

/**
 * @param rest a URL behind its scheme. An `@` behind a `?` may belong to the query or to a password
 * that should have been encoded: then nothing is shown.
 */
function withoutCredentials(rest: string): string {
  const queryAt = rest.search(/[?#]/);
  const userInfoEnd = rest.lastIndexOf('@');
  if (queryAt < 0) return userInfoEnd < 0 ? rest : `${HIDDEN}${rest.slice(userInfoEnd)}`;
  if (userInfoEnd > queryAt) return HIDDEN;
  const shown = rest.slice(0, queryAt);
  const host = userInfoEnd < 0 ? shown : `${HIDDEN}${shown.slice(userInfoEnd)}`;
  return `${host}${rest[queryAt]}${HIDDEN}`;
}
