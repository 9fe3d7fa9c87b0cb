/** Suggestions for mistyped names. */

/**
 * Returns the known name with the smallest edit distance to `name`, ignoring case; undefined = none
 * is close.
 * @param editsMax maximum distance to a known name
 */
export function nearest(
  name: string,
  known: Iterable<string>,
  editsMax: (known: string) => number,
): string | undefined {
  let found: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of known) {
    const most = editsMax(candidate);
    if (Math.abs(name.length - candidate.length) > most) continue;
    const edits = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (edits > most || edits >= least) continue;
    found = candidate;
    least = edits;
  }
  return found;
}

/**
 * Damerau–Levenshtein distance (optimal string alignment): substitutions, insertions, deletions,
 * and transpositions of neighbors.
 */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swapped = isSwap ? before[j - 2]! + 1 : Number.POSITIVE_INFINITY;
      next.push(Math.min(changed, row[j]! + 1, next[j - 1]! + 1, swapped));
    }
    before = row;
    row = next;
  }
  return row[b.length]!;
}
