/** Position of the first error in invalid JSON, which not all browsers report. */

const BLANK = /[ \t\n\r]*/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON has none in a string
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

/** @returns the index of the first error; -1 = valid JSON */
export function wrongAt(text) {
  let at = 0;
  const take = (pattern) => {
    pattern.lastIndex = at;
    const found = pattern.test(text);
    if (found) at = pattern.lastIndex;
    return found;
  };
  const sign = (character) => {
    take(BLANK);
    const found = text[at] === character;
    if (found) at++;
    return found;
  };
  const list = (close, member) => {
    if (sign(close)) return true;
    do if (!member()) return false;
    while (sign(','));
    return sign(close);
  };
  const field = () => {
    take(BLANK);
    return take(STRING) && sign(':') && value();
  };
  const value = () => {
    if (sign('{')) return list('}', field);
    if (sign('[')) return list(']', value);
    return take(STRING) || take(SCALAR);
  };
  const whole = value();
  take(BLANK);
  return whole && at === text.length ? -1 : at;
}

/** "line 2, column 3" */
export function placeOf(text, at) {
  const lines = text.slice(0, at).split('\n');
  return `line ${lines.length}, column ${lines.at(-1).length + 1}`;
}
