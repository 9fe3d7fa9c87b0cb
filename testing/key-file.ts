/** API key file for a gateway under test, and a check that no secrets leak. */
import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newToken, tokenHash } from '../src/api-keys/token.ts';
import type { Gateway } from './gateway.ts';

export class KeyFile {
  readonly folder = mkdtempSync(join(tmpdir(), 'forebay-identity-'));
  readonly path = join(this.folder, 'keys.json');
  readonly #tokens = new Map<string, string>();

  /** Token of the key with this name, which need not be in the file. */
  token(name: string): string {
    const token = this.#tokens.get(name) ?? newToken();
    this.#tokens.set(name, token);
    return token;
  }

  hash(name: string): string {
    return tokenHash(this.token(name));
  }

  bearer(name: string): { Authorization: string } {
    return { Authorization: `Bearer ${this.token(name)}` };
  }

  /** Replaces the keys in the file. */
  write(...keys: readonly (string | { readonly name: string; readonly expires: string })[]): void {
    const entries = keys.map((key) => {
      const fields = typeof key === 'string' ? { name: key } : key;
      return { ...fields, sha256: tokenHash(this.token(fields.name)) };
    });
    this.writeText(JSON.stringify({ keys: entries }));
  }

  writeText(text: string): void {
    writeFileSync(`${this.path}~`, text);
    renameSync(`${this.path}~`, this.path);
  }

  /** Every token and hash so far. */
  get secrets(): string[] {
    return [...this.#tokens.values()].flatMap((token) => [token, tokenHash(token)]);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }
}

/** Asserts that no secret appears in a gateway's log, stderr, metrics or `answers`. */
export async function assertNoSecrets(
  gateway: Gateway,
  secrets: readonly string[],
  answers: readonly string[],
): Promise<void> {
  const metrics = await (await fetch(`${gateway.adminUrl}/metrics`)).text();
  const said = [JSON.stringify(gateway.log), ...gateway.errors, metrics, ...answers].join('\n');
  assert(gateway.log.length > 0, 'it has logged');
  for (const secret of secrets) assert(!said.includes(secret), `${secret.slice(0, 8)}… got out`);
}
