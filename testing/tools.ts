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
 * Value for a test's option `skip`: false if the program is available, otherwise the reason:
 * `test('…', { skip: missingTool('kcat') }, …)`. With REQUIRE_TOOLS=1, as in CI, a missing program
 * throws, so that no test is skipped unnoticed.
 */
export function missingTool(name: string): string | false {
  return hasTool(name) ? false : missing(name);
}

/** Returns a Python that has this package: the one on the PATH, or the system's. */
export function pythonWith(module: string): string | undefined {
  return ['python3', '/usr/bin/python3'].find(
    (python) => spawnSync(python, ['-c', `import ${module}`]).status === 0,
  );
}

/** {@link missingTool} for a Python package. */
export function missingPython(module: string): string | false {
  if (pythonWith(module) !== undefined) return false;
  return missing(`Python’s ${module}`);
}

/** Returns the reason, or throws with REQUIRE_TOOLS=1. */
export function missing(what: string): string {
  if (process.env.REQUIRE_TOOLS === '1') throw new Error(`REQUIRE_TOOLS=1, and ${what} is missing`);
  return `needs ${what}`;
}
