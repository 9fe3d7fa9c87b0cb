/** A parsed event. Never spread or assigned into another object: `__proto__` may be a field. */
export type JsonObject = { readonly [field: string]: unknown };

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
