/** Counts the events of text that is not decoded. */
import { LIMITS } from '../../../config/limits.ts';
import type { EventCounter } from '../event-sink.ts';
import { loadKernel } from '../kernel/kernel.ts';
import { INVALID } from './json-grammar.ts';
import {
  BRACE_BIT,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COMMA,
  closingQuote,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
  skipBlank,
  trimmedEnd,
} from './json-scanner.ts';
import { countLines, isLines } from './text.ts';

/** Counts the events of a text frame, or of a body in the same format. */
export const countEvents: EventCounter = (bytes, eventsMax) => {
  const start = skipBlank(bytes, 0);
  if (start === bytes.length) return 0;
  if (bytes[start] !== OPEN_BRACKET)
    return isLines(bytes, start) ? countLines(bytes, eventsMax) : 1;
  const kernel = loadKernel();
  // A long body would grow the memory of the kernel for good.
  const isShort = bytes.length <= LIMITS.frameBytes;
  const usesKernel = isShort && !(kernel instanceof Error);
  const events = usesKernel ? kernel.countItems(bytes, start) : countItems(bytes, start);
  return events === INVALID || events > eventsMax ? undefined : events;
};

/** Counts as Kernel.countItems, without WebAssembly. */
export function countItems(bytes: Buffer, open: number): number {
  const close = trimmedEnd(bytes, open, bytes.length) - 1;
  if (bytes[close] !== CLOSE_BRACKET) return INVALID;
  const first = skipBlank(bytes, open + 1);
  if (first === close) return 0;
  let items = 1;
  let depth = 0;
  let at = first;
  for (; at < close; at++) {
    const byte = bytes[at]!;
    if (byte === QUOTE) at = closingQuote(bytes, at + 1);
    else if (byte === COMMA && depth === 0) items++;
    else if ((byte | BRACE_BIT) === OPEN_BRACE) depth++;
    else if ((byte | BRACE_BIT) === CLOSE_BRACE) depth--;
  }
  // An unterminated string ends beyond it.
  return at === close && depth === 0 ? items : INVALID;
}
