/** Files with examples of events: an array, a single object, or an event per line. */
import { readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { attempt, systemReason } from '../../common/errors.ts';
import { textOf } from '../../config/secret-files.ts';
import { unusable } from './usage.ts';

export interface ExampleEvent {
  readonly file: string;
  /** Line of an NDJSON file, from 1. */
  readonly line?: number;
  /** Index in an array, from 0. */
  readonly index?: number;
  /** Any JSON value: whether it is an object is part of the test. */
  readonly value: unknown;
}

/** Extensions of files with an event per line. */
const LINES: ReadonlySet<string> = new Set(['.ndjson', '.jsonl']);

/**
 * Reads the examples in a file.
 * @throws StartError (exit code 2) if it is unreadable, not UTF-8, not JSON, or has no example
 */
export function readExamples(file: string): ExampleEvent[] {
  const text = readText(file);
  const examples = LINES.has(extname(file).toLowerCase())
    ? examplesInLines(file, text)
    : examplesInJson(file, text);
  if (examples.length === 0) throw unusable(`${file} has no examples`);
  return examples;
}

/** Returns the location of an example: `a.json[3]`, `a.ndjson:12`, or the file of a single one. */
export function placeOf({ file, line, index }: ExampleEvent): string {
  if (line !== undefined) return `${file}:${line}`;
  return index === undefined ? file : `${file}[${index}]`;
}

function examplesInLines(file: string, text: string): ExampleEvent[] {
  return text.split('\n').flatMap((content, index) => {
    if (content.trim() === '') return [];
    const line = index + 1;
    return [{ file, line, value: parsed(`${file}:${line}`, content) }];
  });
}

function examplesInJson(file: string, text: string): ExampleEvent[] {
  const [first = ''] = text.split('\n', 1);
  const isLines = first.length < text.trimEnd().length && isJson(first);
  const hint = isLines ? '; name a file with an event per line .ndjson or .jsonl' : '';
  const content = parsed(file, text, hint);
  if (!Array.isArray(content)) return [{ file, value: content }];
  return content.map((value: unknown, index) => ({ file, index, value }));
}

function readText(file: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw unusable(`cannot read ${file}: ${systemReason(error)}`);
  }
  try {
    return textOf(bytes);
  } catch (error) {
    throw unusable(`${file} ${(error as Error).message}`);
  }
}

/**
 * @param place of the text, for the error
 * @param hint end of the error
 */
function parsed(place: string, text: string, hint = ''): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw unusable(`${place} is not valid JSON: ${(error as Error).message}${hint}`);
  }
}

function isJson(text: string): boolean {
  return attempt(() => JSON.parse(text)) !== undefined;
}
