/** The AsyncAPI document of an installation, from that of every installation. */
import { LIMITS } from '../../../config/limits.ts';
import { type Document, eventsOf, generated, objectAt, withoutTestData } from './document.ts';
import type { InlineSchema } from './inline-schema.ts';
import type { Access, Installation, SpecifiedStream } from './installation.ts';

/** Channels of the base document that stand for any stream. */
const ACKNOWLEDGED = 'acknowledgedStream';
const PLAIN = 'plainStream';
const OF_STREAMS = [ACKNOWLEDGED, PLAIN];
/** Messages, by their names in these channels. */
const MESSAGES = { json: 'streamJson', msgpack: 'streamMsgpack' } as const;

const DRAFT = /draft[-/](?<version>[\d-]+)/;
const DEFAULT_DRAFT = '07';

/** @param base parsed docs/asyncapi.yaml */
export function asyncApiOf(base: Document, installation: Installation): Document {
  const document = withoutTestData(base);
  const { url, streams, areDeclared, access, routing } = installation;
  objectAt(document, 'info').description = generated('docs/openapi.yaml describes HTTP.');
  const name = url.protocol === 'https:' ? 'gatewayTls' : 'gateway';
  const server = objectAt(objectAt(document, 'servers'), name);
  server.host = url.host;
  if (access === 'none') delete server.security;
  document.servers = { [name]: server };
  const components = objectAt(document, 'components');
  const { StreamEvent: _, StreamEvents: __, ...schemas } = objectAt(components, 'schemas');
  const { streamJson, streamMsgpack, ...messages } = objectAt(components, 'messages');
  // Explains test data.
  delete objectAt(messages, 'nack').description;
  components.schemas = schemas;
  components.messages = messages;
  const channels = objectAt(document, 'channels') as Record<string, Document>;
  const operations = objectAt(document, 'operations') as Record<string, Document>;
  document.channels = withoutStreams(channels, (_value, channel) => OF_STREAMS.includes(channel));
  document.operations = withoutStreams(operations, (operation) => isOfStream(operation));
  for (const kind of Object.keys(MESSAGES)) delete objectAt(messages, kind).examples;
  if (!areDeclared) {
    describeEvents({ schemas, messages }, '', streams[0]!.schema, {
      json: 'json',
      msgpack: 'msgpack',
    });
    return document;
  }
  const templates = { json: streamJson as Document, msgpack: streamMsgpack as Document };
  for (const stream of streams) {
    const prefix = `${stream.name}.`;
    const own = Object.entries(templates).map(([kind, template]) => {
      const { examples: ___, ...message } = template;
      return [`${prefix}${kind}`, message];
    });
    Object.assign(messages, Object.fromEntries(own));
    const names = { json: `${prefix}json`, msgpack: `${prefix}msgpack` };
    describeEvents({ schemas, messages }, prefix, stream.schema, names);
    addChannels(document, { channels, operations }, stream);
  }
  const { acknowledged, plain } = document.channels as Record<string, Document>;
  for (const channel of [acknowledged!, plain!]) {
    channel.description = `${String(channel.description).trimEnd()}\n\n${routing}`;
  }
  for (const kind of Object.keys(MESSAGES))
    objectAt(messages, kind).payload = { type: ['object', 'array'] };
  const { Event: ____, Events: _____, ...rest } = schemas;
  components.schemas = rest;
  return document;
}

interface Components {
  readonly schemas: Document;
  readonly messages: Document;
}

/** Adds the schemas of a stream, and refers to them in its messages. */
function describeEvents(
  { schemas, messages }: Components,
  prefix: string,
  schema: InlineSchema,
  names: Readonly<Record<'json' | 'msgpack', string>>,
): void {
  const [event, events] = [`${prefix}Event`, `${prefix}Events`];
  const { version = DEFAULT_DRAFT } = DRAFT.exec(schema.draft)?.groups ?? {};
  const at = `#/components/schemas/${event}`;
  if (version === DEFAULT_DRAFT) {
    schemas[event] = schema.at(at);
    schemas[events] = eventsOf(at, LIMITS.frameEvents);
  } else {
    const schemaFormat = `application/schema+json;version=draft-${version}`;
    schemas[event] = { schemaFormat, schema: schema.at(`${at}/schema`) };
    schemas[events] = { schemaFormat, schema: eventsOf(`${at}/schema`, LIMITS.frameEvents) };
  }
  for (const name of Object.values(names)) {
    objectAt(messages, name).payload = { $ref: `#/components/schemas/${events}` };
  }
}

/** Adds the channels and operations of a stream. */
function addChannels(
  document: Document,
  templates: Readonly<Record<'channels' | 'operations', Record<string, Document>>>,
  { name, access, acceptsPlain, description }: SpecifiedStream,
): void {
  const wanted = acceptsPlain ? OF_STREAMS : [ACKNOWLEDGED];
  for (const template of wanted) {
    const { parameters: _, ...channel } = structuredClone(templates.channels[template]!);
    channel.address = `/ws/${name}`;
    channel.title = `${channel.title}: ${name}`;
    channel.description = `${description} ${CREDENTIALS[access]}`;
    const messages = objectAt(channel, 'messages');
    for (const kind of Object.keys(MESSAGES)) {
      messages[kind] = { $ref: `#/components/messages/${name}.${kind}` };
    }
    objectAt(document, 'channels')[idOf(template, name)] = channel;
  }
  for (const [id, operation] of Object.entries(templates.operations)) {
    const template = wanted.find((channel) => refersTo(operation, channel));
    if (template === undefined) continue;
    const text = JSON.stringify(operation).replaceAll(
      `#/channels/${template}`,
      `#/channels/${idOf(template, name)}`,
    );
    objectAt(document, 'operations')[`${id}_${name}`] = JSON.parse(text);
  }
}

const CREDENTIALS: Readonly<Record<Access, string>> = {
  none: 'No credentials are needed.',
  any: 'Credentials are optional.',
  keyed: 'Credentials are required.',
};

function idOf(template: string, name: string): string {
  return `${template}_${name}`;
}

function withoutStreams<T>(
  entries: Readonly<Record<string, T>>,
  isOfStreams: (value: T, name: string) => boolean,
): Record<string, T> {
  return Object.fromEntries(
    Object.entries(entries).filter(([name, value]) => !isOfStreams(value, name)),
  );
}

function isOfStream(operation: Document): boolean {
  return OF_STREAMS.some((channel) => refersTo(operation, channel));
}

function refersTo(operation: Document, channel: string): boolean {
  return objectAt(operation, 'channel').$ref === `#/channels/${channel}`;
}
