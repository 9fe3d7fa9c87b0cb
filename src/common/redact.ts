/** Hiding of credentials in output: user info and query strings of URLs, and keys in PEM. */

export const HIDDEN = '(hidden)';

/**
 * A URL in a text, also in JSON: up to a space, an angle bracket, a quote or an escaped newline.
 * The bounded length of the scheme keeps the match linear for long words.
 */
const URL_IN_TEXT = /\b([a-z][a-z0-9+.-]{0,30}:\/\/)((?:[^ \t\r\n"<>\\]|\\[^"nrt])*)/gi;
const SCHEME = /^(\s*[a-z][a-z0-9+.-]*:\/\/)?(.*)$/is;
/** Up to its end, or the end of a JSON string. */
const PEM = /-----BEGIN [A-Z ]+-----(?:[^"]*?-----END [A-Z ]+-----|[^"]*)/g;

/** Hides credentials in every URL of `text`, and PEM blocks. */
export function redacted(text: string): string {
  const withoutPem = text.includes('-----BEGIN ') ? text.replace(PEM, HIDDEN) : text;
  if (!withoutPem.includes('://')) return withoutPem;
  return withoutPem.replace(URL_IN_TEXT, (_, scheme: string, rest: string) => {
    return scheme + withoutCredentials(rest);
  });
}

/** Hides credentials in a text that as a whole may be a URL or an address, well-formed or not. */
export function redactedValue(text: string): string {
  const [, scheme = '', rest = ''] = SCHEME.exec(text.replace(PEM, HIDDEN)) ?? [];
  return scheme + withoutCredentials(rest);
}

/**
 * @param rest a URL after its scheme. An `@` after a `?` may belong to the query or to an unencoded
 * password: everything is hidden then.
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
