import { LIMITS } from '../../config/limits.ts';

/** Control characters; the only one that HTTP permits in a header is the tab. */
const CONTROL = /\p{Cc}/gu;

/**
 * Returns the value of a record header for a text: without control characters, cut at a character.
 * @param maxBytes of its UTF-8
 */
export function headerText(
  text: string,
  maxBytes: number = LIMITS.recordHeaders.valueBytes,
): string {
  const bytes = Buffer.from(text.slice(0, maxBytes).replace(CONTROL, ' '));
  if (bytes.length <= maxBytes) return bytes.toString();
  let end = maxBytes;
  while ((bytes[end]! & 0xc0) === 0x80) end--;
  return bytes.toString('utf8', 0, end);
}
