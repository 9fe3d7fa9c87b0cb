import { textOf } from './error-text.ts';

type Given = string | undefined;

/** Type of `ClientOptions.key`. */
export type KeyOption = Given | (() => Given | Promise<Given>);

/** Token of RFC 9110, as required for a subprotocol: API keys and JWTs are tokens. */
const TOKEN = /^[\w!#$%&'*+\-.^`|~]*$/;
/** Timeout of a promised key. */
const KEY_MS = 15_000;

/** The current key. */
export class Key {
  readonly #option: KeyOption;
  /** Last key of a promise, for when there is no time to wait for the next one. */
  #last: Given;

  constructor(option: KeyOption) {
    this.#option = option;
  }

  /** @throws (or rejects with) Error: the function failed, or returned an invalid key */
  get(): Given | Promise<Given> {
    const given = this.#call();
    return given instanceof Object ? this.#within(given) : checked(given);
  }

  /** Returns a key without waiting, for page exit. */
  get atOnce(): Given {
    try {
      const given = this.#call();
      if (!(given instanceof Object)) return checked(given);
      given.catch(() => {});
    } catch {
      // The last one may still be valid.
    }
    return this.#last;
  }

  #call(): Given | Promise<Given> {
    const option = this.#option;
    try {
      return typeof option === 'function' ? option() : option;
    } catch (error) {
      throw failed(error);
    }
  }

  async #within(given: Promise<Given>): Promise<Given> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('no key within 15 s')), KEY_MS);
    });
    let key: Given;
    try {
      key = await Promise.race([given, late]);
    } catch (error) {
      throw failed(error);
    } finally {
      clearTimeout(timer);
    }
    this.#last = checked(key);
    return this.#last;
  }
}

/** @throws SyntaxError without the key, which is a secret */
function checked(key: Given): Given {
  if (key === undefined || TOKEN.test(key)) return key;
  throw new SyntaxError('the key contains invalid characters, such as a space or line break');
}

function failed(error: unknown): Error {
  return new Error(`the key function failed: ${textOf(error)}`);
}
