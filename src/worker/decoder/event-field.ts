import type { JsonObject } from '../../common/json-object.ts';

/**
 * A field of an event: a name, or a path of names separated by dots into nested objects. A field
 * whose literal name contains the dots takes precedence. Arrays are not traversed.
 */
export class EventField {
  readonly name: string;
  /** Undefined for a name without dots. */
  readonly path: readonly string[] | undefined;

  constructor(name: string) {
    this.name = name;
    this.path = name.includes('.') ? name.split('.') : undefined;
  }

  /** Returns the value of the field; undefined = absent. */
  valueIn(event: JsonObject): unknown {
    return this.#find(event, false);
  }

  /** Returns the value of the field, or null or an array found on the path to it. */
  valueOrObstacleIn(event: JsonObject): unknown {
    return this.#find(event, true);
  }

  #find(event: JsonObject, returnsObstacle: boolean): unknown {
    if (Object.hasOwn(event, this.name)) return event[this.name];
    if (this.path === undefined) return undefined;
    let value: unknown = event;
    for (const name of this.path) {
      if (value === null || Array.isArray(value)) return returnsObstacle ? value : undefined;
      if (typeof value !== 'object' || !Object.hasOwn(value, name)) return undefined;
      value = (value as JsonObject)[name];
    }
    return value;
  }
}
