import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Whether a program is on the PATH. */
export function hasTool(name: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/**
 * For a test's option `skip`: false when the program is there, else why the test is skipped:
 * `test('…', { skip: missingTool('kcat') }, …)`. With REQUIRE_TOOLS=1, as in CI, a missing program
 * throws: a test that is never run there would go unseen.
 */
export function missingTool(name: string): string | false {
  if (hasTool(name)) return false;
  if (process.env.REQUIRE_TOOLS === '1') throw new Error(`REQUIRE_TOOLS=1, and ${name} is missing`);
  return `needs ${name}`;
}
