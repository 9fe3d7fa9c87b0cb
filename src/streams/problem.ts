/** Errors and warnings of a stream file, each with its position. */
import type { Position } from './text-positions.ts';

/** One error or warning: a position, and a message of one line that names the property. */
export interface Problem extends Position {
  readonly message: string;
}

/** Formats a problem for editors and terminals: `streams.yaml:3:5: message`. */
export function problemLine(path: string, { line, column, message }: Problem): string {
  return `${path}:${line}:${column}: ${message}`.replace(/\s+/g, ' ');
}

/** Sorts problems by position and removes repetitions. */
export function inOrder(problems: readonly Problem[]): Problem[] {
  const sorted = [...problems].sort((a, b) => a.line - b.line || a.column - b.column);
  const seen = new Set<string>();
  return sorted.filter((problem) => {
    const text = problemLine('', problem);
    return !seen.has(text) && seen.add(text);
  });
}
