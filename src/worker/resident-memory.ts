/**
 * Returns the resident memory of the process; undefined if it cannot be read: Node.js opens a file
 * for it, and no descriptor may be left.
 */
export function residentBytes(): number | undefined {
  try {
    return process.memoryUsage.rss();
  } catch {
    return undefined;
  }
}
