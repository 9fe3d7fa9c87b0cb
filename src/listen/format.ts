/** How `listen` shows a record. */

export interface ListenedRecord {
  readonly partition: number;
  readonly offset: bigint;
  /** Milliseconds since 1970, as Kafka has it. */
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

/** `partition offset key value`, separated by tabs; `-` where there is no key or value. */
export function plainLine({ partition, offset, key, value }: ListenedRecord): string {
  return `${partition}\t${offset}\t${shown(key)}\t${shown(value)}\n`;
}

/** One JSON object; key and value are the record's text, or null. */
export function jsonLine({ partition, offset, timestamp, key, value }: ListenedRecord): string {
  const text = (bytes: Buffer | null) => JSON.stringify(bytes?.toString('utf8') ?? null);
  // The offset's digits stand there as they are: a number of JavaScript may be too short for them.
  return (
    `{"partition":${partition},"offset":${offset},"timestamp":${timestamp},` +
    `"key":${text(key)},"value":${text(value)}}\n`
  );
}

function shown(bytes: Buffer | null): string {
  return bytes === null ? '-' : printable(bytes.toString('utf8'));
}

/** C0, DEL and C1 controls, line separators, and marks that turn the direction of writing. */
const UNPRINTABLE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not get through
  /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** The text with everything escaped that would move the cursor, colour or reorder a terminal. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => {
    const code = character.charCodeAt(0).toString(16);
    return SHORT[character] ?? (code.length <= 2 ? `\\x${code.padStart(2, '0')}` : `\\u${code}`);
  });
}
