/** Colours of a terminal, and whether there are any. */

/** Puts text between the sequences that switch a colour on and off. */
export type Paint = (text: string) => string;

export interface Colours {
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

/** Of the eight that every terminal has, those that can be read on dark and on light. */
export const COLOURS: Colours = {
  place: sgr(2, 22),
  key: sgr(36, 39),
  name: sgr(34, 39),
  text: sgr(32, 39),
  literal: sgr(35, 39),
  broken: sgr(31, 39),
};

/**
 * Whether output is to be coloured: on a terminal that can, unless `NO_COLOR` says no;
 * `FORCE_COLOR` (but for `0`) says yes wherever it goes.
 */
export function wantsColours(env: NodeJS.ProcessEnv, isTerminal: boolean): boolean {
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== '0';
  if (env.NO_COLOR) return false;
  return isTerminal && env.TERM !== 'dumb';
}

/** The parts of JSON that are coloured: names with their colon, texts, numbers and words. */
const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|-?\d[\d.eE+-]*|\b(?:true|false|null)\b/g;

/** @param json valid JSON, which may have been made printable */
export function paintJson(json: string, { name, text, literal }: Colours): string {
  return json.replace(TOKEN, (token, quoted?: string, colon?: string) => {
    if (quoted === undefined) return literal(token);
    return colon === undefined ? text(quoted) : `${name(quoted)}${colon}`;
  });
}
