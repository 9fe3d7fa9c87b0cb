/** A message that lists the allowed characters lists exactly these. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseKeys } from '../src/api-keys/format.ts';
import { parseKeyArguments } from '../src/cli/api-keys/arguments.ts';
import { readConfig } from '../src/config/config.ts';

const PAGE = readFileSync(new URL('../src/page/static/index.html', import.meta.url), 'utf8');
const sha256 = '0'.repeat(64);

/** Each takes a text, or throws an error that lists the characters. */
const TAKERS: Readonly<Record<string, (text: string) => unknown>> = {
  'a topic': (text) => readConfig({ KAFKA_TOPIC: text }),
  'a client id for Kafka': (text) => readConfig({ KAFKA_CLIENT_ID: text }),
  'the name of a key in the file': (name) =>
    parseKeys(JSON.stringify({ keys: [{ name, sha256 }] })),
  'the name of a new key': (name) => parseKeyArguments(['new', `--name=${name}`]),
  'a token on the test page': (text) => {
    const [, pattern, title] = /pattern="([^"]+)"[^>]*\s+title="([^"]+)"/.exec(PAGE)!;
    if (!new RegExp(`^(?:${pattern})$`, 'v').test(text)) throw new Error(`must be ${title}`);
  },
};
/** In one word the message means all. */
const WORDS: readonly (readonly [string, RegExp])[] = [
  ['letters', /^[A-Za-z]$/],
  ['digits', /^[0-9]$/],
];
const ASCII = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index));

function messageOf(take: (text: string) => unknown, text: string): string | undefined {
  try {
    take(text);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Text between "letters, digits" and the next comma or the end, without "and". */
function listed(message: string): Set<string> {
  const [, marks = ''] =
    /letters, digits,?(?: and)? ([^,]*?)(?: alone)?(?:,|$)/.exec(message) ?? [];
  return new Set(marks.trim().split(' '));
}

for (const [what, take] of Object.entries(TAKERS)) {
  test(`${what} accepts exactly the characters in its message`, () => {
    const message = messageOf(take, 'a b');
    assert(message !== undefined, 'a space is not allowed');
    const marks = listed(message);
    for (const character of ASCII) {
      const named = WORDS.some(([word, all]) => message.includes(word) && all.test(character));
      const allowed = messageOf(take, `a${character}a`) === undefined;
      assert.equal(
        allowed,
        named || marks.has(character),
        `${JSON.stringify(character)}: ${message}`,
      );
    }
    for (const character of ['é', 'ß', '\u0661', '\u200b', '\n']) {
      assert.notEqual(messageOf(take, `a${character}a`), undefined, JSON.stringify(character));
    }
  });
}
