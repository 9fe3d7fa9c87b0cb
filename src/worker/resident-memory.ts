/**
 * The process's resident memory. Undefined when it cannot be read: Node.js opens a file for it, and
 * there may be none left.
 */
export function residentBytes(): number | undefined {
  try {
    return process.memoryUsage.rss();
  } catch {
    return undefined;
  }
}
