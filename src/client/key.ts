import { textOf } from './error-text.ts';

type Given = string | undefined;

/** What `ClientOptions.key` may be. */
export type KeyOption = Given | (() => Given | Promise<Given>);

/** A token of RFC 9110, as a subprotocol has to be: API keys and JWTs are. */
const TOKEN = /^[\w!#$%&'*+\-.^`|~]*$/;
/** Longer than that no key is waited for. */
const KEY_MS = 15_000;

/** The key of now. */
export class Key {
  readonly #option: KeyOption;
  /** The last one that a promise gave, for when there is no time to wait for the next. */
  #last: Given;

  constructor(option: KeyOption) {
    this.#option = option;
  }

  /** @throws (or rejects with) Error: the function failed, or what it gave can be no key */
  get(): Given | Promise<Given> {
    const given = this.#call();
    return given instanceof Object ? this.#within(given) : checked(given);
  }

  /** Without waiting, as when the page goes. */
  get atOnce(): Given {
    try {
      const given = this.#call();
      if (!(given instanceof Object)) return checked(given);
      given.catch(() => {});
    } catch {
      // The last one may do.
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
  throw new SyntaxError(
    'the key has characters that no key can have: a space or line break, for instance',
  );
}

function failed(error: unknown): Error {
  return new Error(`the key function failed: ${textOf(error)}`);
}
