/** JWT issuer for tests: key pairs, valid and invalid tokens, and a server of the public keys. */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, exportSPKI, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import type { KeySet } from '../../src/api-keys/format.ts';

export const AUDIENCE = 'forebay-tests';
export const ISSUER = 'https://issuer.example';

export class Issuer {
  readonly kid: string;
  readonly alg: string;
  readonly #keys: CryptoKeyPair;
  readonly #jwk: Readonly<Record<string, unknown>>;

  constructor(kid: string, alg: string, keys: CryptoKeyPair, jwk: Record<string, unknown>) {
    this.kid = kid;
    this.alg = alg;
    this.#keys = keys;
    this.#jwk = jwk;
  }

  static async create(kid: string, alg = 'ES256'): Promise<Issuer> {
    const keys = await generateKeyPair(alg, { extractable: true });
    const jwk = { ...(await exportJWK(keys.publicKey)), kid, alg, use: 'sig' };
    return new Issuer(kid, alg, keys, jwk);
  }

  /** The public key. */
  get jwk(): Readonly<Record<string, unknown>> {
    return this.#jwk;
  }

  /** Public key in PEM, which a vulnerable gateway would use as a shared secret. */
  async pem(): Promise<Uint8Array> {
    return Buffer.from(await exportSPKI(this.#keys.publicKey));
  }

  /**
   * Returns a token that is valid for an hour, with the given changes.
   * @param claims undefined = the claim is omitted
   */
  async token(
    claims: Readonly<Record<string, unknown>> = {},
    { header = {}, key = this.#keys.privateKey as CryptoKey | Uint8Array } = {},
  ): Promise<string> {
    const payload = { sub: 'till 7', aud: AUDIENCE, iss: ISSUER, exp: inSeconds(3_600), ...claims };
    return new SignJWT(payload as JWTPayload)
      .setProtectedHeader({ alg: this.alg, kid: this.kid, ...header })
      .sign(key);
  }
}

/** Returns the time `seconds` from now, in seconds since 1970. */
export function inSeconds(seconds: number): number {
  return Math.floor(Date.now() / 1000) + seconds;
}

export function keySetOf(...issuers: readonly Issuer[]): KeySet {
  return { keys: issuers.map(({ jwk }) => jwk) };
}

/** Server of public keys, which may be silent or broken. */
export class JwksServer {
  keySet: KeySet;
  /** `silent`: accepts requests and responds on command. */
  state: 'good' | 'broken' | 'silent' = 'good';
  requests = 0;
  readonly #silent: ServerResponse[] = [];
  readonly #server = createServer((_, response) => {
    this.requests++;
    if (this.state === 'silent') this.#silent.push(response);
    else this.#answer(response);
  });

  constructor(keySet: KeySet) {
    this.keySet = keySet;
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/keys`;
  }

  /** Requests without a response. */
  get waiting(): number {
    return this.#silent.filter(({ destroyed }) => !destroyed).length;
  }

  /** Responds from now on, also to pending requests. */
  speak(): void {
    this.state = 'good';
    for (const response of this.#silent.splice(0)) this.#answer(response);
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #answer(response: ServerResponse): void {
    if (this.state === 'broken') response.writeHead(500).end();
    else response.setHeader('Content-Type', 'application/json').end(JSON.stringify(this.keySet));
  }
}
