import { spawnSync } from 'node:child_process';
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
  return hasTool(name) ? false : missing(name);
}

/** A Python that has this package: the one on the PATH, or the system's. */
export function pythonWith(module: string): string | undefined {
  return ['python3', '/usr/bin/python3'].find(
    (python) => spawnSync(python, ['-c', `import ${module}`]).status === 0,
  );
}

/** {@link missingTool} for a package of Python. */
export function missingPython(module: string): string | false {
  if (pythonWith(module) !== undefined) return false;
  return missing(`Python’s ${module}`);
}

/** Says that it is missing, or throws with REQUIRE_TOOLS=1. */
export function missing(what: string): string {
  if (process.env.REQUIRE_TOOLS === '1') throw new Error(`REQUIRE_TOOLS=1, and ${what} is missing`);
  return `needs ${what}`;
}
