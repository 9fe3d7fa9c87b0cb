/** Schemas of the load client's events: part of JSON Schema, as far as samples are made of it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../deploy/kafka/jars.ts';

export type Json = string | number | boolean | null | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [name: string]: Json;
}

export type TypeName = 'string' | 'integer' | 'number' | 'boolean' | 'null' | 'object' | 'array';

/** Schema of one value. */
export interface Schema {
  readonly type?: TypeName | readonly TypeName[];
  readonly const?: Json;
  readonly enum?: readonly Json[];
  readonly anyOf?: readonly Schema[];
  /** `#/definitions/name` of the document. */
  readonly $ref?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  /** A string with a pattern has `examples`. */
  readonly pattern?: string;
  readonly format?: 'uuid' | 'date-time';
  readonly examples?: readonly Json[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly maxProperties?: number;
}

/** Schema of an event, of draft-07: the gateways of older commits read it too. */
export interface SchemaDocument extends Schema {
  readonly $schema: string;
  readonly title: string;
  readonly type: 'object';
  readonly properties: Readonly<Record<string, Schema>>;
  readonly definitions?: Readonly<Record<string, Schema>>;
}

/** Kinds of events with a schema in schemas/. */
export const SCHEMA_NAMES = ['plain', 'page-view', 'order', 'log'] as const;
export type SchemaName = (typeof SCHEMA_NAMES)[number];

/** Returns the absolute path of a schema, for FOREBAY_EVENT_SCHEMA. */
export function schemaFile(name: SchemaName): string {
  return join(ROOT, `bench/load/schemas/${name}.json`);
}

export function schemaOf(name: SchemaName): SchemaDocument {
  return JSON.parse(readFileSync(schemaFile(name), 'utf8')) as SchemaDocument;
}
