import type { JsonObject } from '../../common/json-object.ts';

/**
 * A field of an event: a name, or a path of names separated by dots into nested objects. A field
 * whose literal name contains the dots takes precedence. Arrays are not traversed.
 */
export class EventField {
  readonly #name: string;
  readonly #path: readonly string[];

  constructor(name: string) {
    this.#name = name;
    this.#path = name.split('.');
  }

  /** Returns the value of the field; undefined = absent. */
  valueIn(event: JsonObject): unknown {
    if (Object.hasOwn(event, this.#name)) return event[this.#name];
    let value: unknown = event;
    for (const name of this.#path) {
      const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
      if (!isObject || !Object.hasOwn(value as JsonObject, name)) return undefined;
      value = (value as JsonObject)[name];
    }
    return value;
  }
}
