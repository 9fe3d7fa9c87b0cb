/** Terminal colors, and their detection. */

/** Encloses text in the sequences that switch a color on and off. */
export type Paint = (text: string) => string;

export interface Colors {
  readonly place: Paint;
  readonly key: Paint;
  readonly name: Paint;
  readonly text: Paint;
  readonly literal: Paint;
  readonly broken: Paint;
}

const sgr =
  (on: number, off: number): Paint =>
  (text) =>
    text === '' ? '' : `\u001b[${on}m${text}\u001b[${off}m`;

/** Basic colors that are readable on dark and on light backgrounds. */
export const COLORS: Colors = {
  place: sgr(2, 22),
  key: sgr(36, 39),
  name: sgr(34, 39),
  text: sgr(32, 39),
  literal: sgr(35, 39),
  broken: sgr(31, 39),
};

const unchanged: Paint = (text) => text;

export const UNCOLORED: Colors = {
  place: unchanged,
  key: unchanged,
  name: unchanged,
  text: unchanged,
  literal: unchanged,
  broken: unchanged,
};

/**
 * Returns whether to color output: on a capable terminal, unless `NO_COLOR` is set; `FORCE_COLOR`
 * (except `0`) enables colors everywhere.
 */
export function wantsColors(env: NodeJS.ProcessEnv, isTerminal: boolean): boolean {
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== '0';
  if (env.NO_COLOR) return false;
  return isTerminal && env.TERM !== 'dumb';
}

/** Colored tokens of JSON: names with their colon, strings, numbers and literals. */
const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|-?\d[\d.eE+-]*|\b(?:true|false|null)\b/g;

/** @param json valid JSON, possibly escaped for a terminal */
export function paintJson(json: string, { name, text, literal }: Colors): string {
  return json.replace(TOKEN, (token, quoted?: string, colon?: string) => {
    if (quoted === undefined) return literal(token);
    return colon === undefined ? text(quoted) : `${name(quoted)}${colon}`;
  });
}
