/** Values of events that the live tail hides, and the shown form of events and keys. */
import { typeName } from '../violations/redacted-event.ts';
import { TAIL_LIMITS } from './limits.ts';

/**
 * `all`: values are replaced by their types; `none`: every value is shown; otherwise fields, whose
 * values are hidden with everything in them. A field is a path of names: items of arrays are passed
 * through, and `*` stands for any name.
 */
export type Redaction = 'all' | 'none' | readonly (readonly string[])[];

/** An event without its hidden values. */
export interface ShownValue {
  /** JSON, with a text such as `string(12)` in place of each hidden value. */
  readonly value: unknown;
  /** JSON pointers of the hidden values; `all` = every value. */
  readonly redacted: 'all' | readonly string[];
  /** A part is left out: it exceeds the size or depth. */
  readonly isCut: boolean;
}

/** Fields to hide below a value, as the rest of their paths. */
type Hidden = readonly (readonly string[])[];

/** Replaces hidden values by types. @param bytesMax of the JSON of the result, approximately */
export function shownValue(
  value: unknown,
  redaction: Redaction,
  bytesMax: number = TAIL_LIMITS.eventBytes,
): ShownValue {
  const hidden = redaction === 'none' ? [] : redaction;
  const copy = new ShownCopy(bytesMax, redaction !== 'all');
  const shown = copy.of(value, hidden, '', 0);
  return { value: shown, redacted: redaction === 'all' ? 'all' : copy.redacted, isCut: copy.isCut };
}

/**
 * Returns the key of a record as it may be shown.
 * @param fields paths of the fields whose values it consists of
 */
export function shownKey(
  key: string,
  fields: readonly (readonly string[])[],
  redaction: Redaction,
): string {
  const isHidden =
    redaction === 'all' ||
    (redaction !== 'none' && fields.some((field) => isFieldHidden(field, redaction)));
  return isHidden ? typeName(key) : cutTo(key, TAIL_LIMITS.keyChars);
}

/** Cuts a text, with `…` in place of the rest. */
export function cutTo(text: string, chars: number): string {
  return text.length <= chars ? text : `${text.slice(0, chars - 1)}…`;
}

function isFieldHidden(field: readonly string[], redaction: Hidden): boolean {
  let hidden: Hidden = redaction;
  // A field with dots in its name may also be the path of others.
  for (const name of field) {
    const next = below(hidden, name);
    if (next === 'all') return true;
    hidden = next;
  }
  return below(redaction, field.join('.')) === 'all';
}

/** Returns the fields to hide below member `name`; `all` = the member is hidden. */
function below(hidden: Hidden, name: string): Hidden | 'all' {
  if (hidden.length === 0) return hidden;
  const next: (readonly string[])[] = [];
  for (const path of hidden) {
    for (let names = 1; names <= path.length; names++) {
      const isNamed =
        names === 1 ? path[0] === '*' || path[0] === name : path.slice(0, names).join('.') === name;
      if (!isNamed) continue;
      if (names === path.length) return 'all';
      next.push(path.slice(names));
    }
  }
  return next;
}

/** Builds the copy of one value, within its size. */
class ShownCopy {
  /** Locations of hidden values. */
  readonly redacted: string[] = [];
  isCut = false;
  /** Bytes left. */
  #room: number;
  readonly #listsHidden: boolean;

  constructor(bytesMax: number, listsHidden: boolean) {
    this.#room = bytesMax;
    this.#listsHidden = listsHidden;
  }

  of(value: unknown, hidden: Hidden | 'all', pointer: string, depth: number): unknown {
    if (typeof value === 'object' && value !== null) {
      if (depth === TAIL_LIMITS.depth) {
        this.isCut = true;
        return this.#hidden(Array.isArray(value) ? 'array' : 'object', pointer);
      }
      return Array.isArray(value)
        ? this.#items(value, hidden, pointer, depth)
        : this.#members(value, hidden, pointer, depth);
    }
    return hidden === 'all' ? this.#hidden(typeName(value), pointer) : this.#leaf(value);
  }

  #items(values: readonly unknown[], hidden: Hidden | 'all', pointer: string, depth: number) {
    const shown: unknown[] = [];
    this.#room -= 2;
    for (const [index, value] of values.entries()) {
      if (!this.#hasRoom(1)) break;
      shown.push(this.of(value, hidden, `${pointer}/${index}`, depth + 1));
    }
    return shown;
  }

  #members(object: object, hidden: Hidden | 'all', pointer: string, depth: number) {
    // Without a prototype, `__proto__` is a name like any other.
    const shown: Record<string, unknown> = Object.create(null);
    this.#room -= 2;
    for (const name of Object.keys(object)) {
      if (!this.#hasRoom(Buffer.byteLength(JSON.stringify(name)) + 2)) break;
      const inner = hidden === 'all' ? hidden : below(hidden, name);
      const place = `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
      shown[name] = this.of(Reflect.get(object, name), inner, place, depth + 1);
    }
    return shown;
  }

  #leaf(value: unknown): unknown {
    const bytes = Buffer.byteLength(JSON.stringify(value) ?? '');
    if (bytes <= this.#room || typeof value !== 'string') {
      this.#room -= bytes;
      return value;
    }
    this.isCut = true;
    // Up to 6 bytes per character: a control character as \u0001.
    const cut = cutTo(value, Math.max(1, Math.floor(this.#room / 6)));
    this.#room = 0;
    return cut;
  }

  #hidden(type: string, pointer: string): string {
    this.#room -= type.length + 2;
    if (this.#listsHidden) {
      this.#room -= Buffer.byteLength(JSON.stringify(pointer)) + 1;
      this.redacted.push(pointer);
    }
    return type;
  }

  /** Takes `bytes`, if they are left. */
  #hasRoom(bytes: number): boolean {
    this.isCut ||= this.#room < bytes;
    if (this.#room < bytes) return false;
    this.#room -= bytes;
    return true;
  }
}
