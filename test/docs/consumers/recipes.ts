/** Code of docs/consumers.md. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../../deploy/kafka/jars.ts';
import { fencesOf } from '../fences.ts';

const PAGE = 'docs/consumers.md';

export function readPage(): string {
  return readFileSync(join(ROOT, PAGE), 'utf8');
}

/** Returns the block of this language that contains `text`. */
export function recipe(language: string, text: string): string {
  const blocks = fencesOf(PAGE, readPage()).filter((fence) => fence.language === language);
  const [found, ...more] = blocks.filter((block) => block.text.includes(text));
  assert(found !== undefined && more.length === 0, `one ${language} block with ${text}`);
  return found.text;
}
