/** The facts of an installation that its specifications describe. */
import { type Config, requiresAuthentication } from '../../../config/config.ts';
import {
  DEFAULT_STREAM,
  REFUSE,
  type StreamFile,
  type StreamSpec,
} from '../../../streams/stream-file.ts';
import { readStreamSchema } from '../../../worker/intake/validator.ts';
import { adminUrl } from '../../admin-port.ts';
import { type InlineSchema, inlineSchema } from './inline-schema.ts';

export interface Installation {
  /** URL of the port for clients, without a slash at its end. */
  readonly url: URL;
  readonly adminUrl: string;
  readonly streams: readonly SpecifiedStream[];
  /** Paths may name the streams: there is a stream file. */
  readonly areDeclared: boolean;
  /** Credentials that events without a stream in their path need. */
  readonly access: Access;
  /** Sentence for events without a stream in their path. */
  readonly routing: string;
}

/** `none`: credentials have no effect; `any`: with or without; `keyed`: required. */
export type Access = 'none' | 'any' | 'keyed';

export interface SpecifiedStream {
  readonly name: string;
  readonly schema: InlineSchema;
  readonly access: Access;
  readonly acceptsPlain: boolean;
  /** Sentences about permissions and limits. */
  readonly description: string;
}

/**
 * Describes the installation of these settings and streams.
 * @param url public URL; undefined = this machine
 */
export function installationOf(
  config: Config,
  file: StreamFile,
  areDeclared: boolean,
  url: string | undefined,
): Installation {
  const own = `${config.tlsCertFile === undefined ? 'http' : 'https'}://localhost:${config.port}`;
  const authenticates = requiresAuthentication(config);
  const streams = file.streams
    .filter(({ internal }) => !internal)
    .map((spec) => specified(spec, config, areDeclared, authenticates));
  const isOpen = streams.some(({ access }) => access === 'any');
  return {
    url: new URL(url ?? own),
    adminUrl: adminUrl(config),
    streams,
    areDeclared,
    access: !authenticates ? 'none' : isOpen ? 'any' : 'keyed',
    routing: areDeclared ? routingText(file) : '',
  };
}

function specified(
  spec: StreamSpec,
  config: Config,
  areDeclared: boolean,
  authenticates: boolean,
): SpecifiedStream {
  const open: Access = areDeclared && spec.access === 'open' ? 'any' : 'keyed';
  return {
    name: spec.name,
    schema: inlineSchema(readStreamSchema(spec.schema, areDeclared)),
    access: authenticates ? open : 'none',
    acceptsPlain: spec.plain === 'accept',
    description: textOf(spec, config),
  };
}

function textOf({ owner, origins, limits, plain, key }: StreamSpec, config: Config): string {
  const { eventBytes = config.maxFrameBytes, eventsPerSecond } = limits;
  const bytes = Math.min(eventBytes, config.maxFrameBytes);
  const sentences = [`An event may have up to ${bytes} bytes, otherwise it is \`too_large\`.`];
  if (eventsPerSecond !== undefined) {
    const rate = `${eventsPerSecond} events per second and worker`;
    sentences.push(`Above ${rate}, events are \`rate_limited\`.`);
  }
  if (key.length > 0) {
    const names = key.map((path) => `\`${path.join('.')}\``).join(', ');
    sentences.push(`Events are in order by ${names}.`);
  }
  if (origins !== undefined) {
    const listed =
      origins.length === 0 ? 'No web page' : `Of web pages, only ${origins.join(', ')}`;
    sentences.push(`${listed} may write; others get \`forbidden_stream\`.`);
  }
  if (plain === 'refuse') {
    sentences.push('WebSocket clients need the subprotocol `forebay.v1`.');
  }
  if (owner !== undefined) sentences.push(`Owner: ${owner}.`);
  return sentences.join(' ');
}

function routingText({ routing: { field, unknown }, streams }: StreamFile): string {
  const hasDefault = streams.some(({ name }) => name === DEFAULT_STREAM);
  const fallback = hasDefault ? `\`${DEFAULT_STREAM}\`` : 'none: the event is `unknown_stream`';
  const rest = `the only stream of the API key or token, else ${fallback}`;
  if (field === undefined) return `The stream of an event is ${rest}.`;
  const values = streams
    .filter(({ match }) => match.length > 0)
    .map(
      ({ name, match }) =>
        `${match.map((value) => JSON.stringify(value)).join(', ')} → \`${name}\``,
    );
  const others = unknown === REFUSE ? 'are `unknown_stream`' : `go to \`${unknown}\``;
  return (
    `The field \`${field.join('.')}\` selects the stream of an event: ${values.join('; ')}. ` +
    `Events with other values ${others}. Without the field it is ${rest}.`
  );
}
