/** The OpenAPI document of an installation, from that of every installation. */
import type { JsonObject } from '../../../common/json-object.ts';
import { LIMITS } from '../../../config/limits.ts';
import { type Document, eventsOf, generated, objectAt, withoutTestData } from './document.ts';
import type { Access, Installation, SpecifiedStream } from './installation.ts';

const POST = '/events/{stream}';
const SOCKET = '/ws/{stream}';
const STREAM_PARAMETER = '#/components/parameters/Stream';

const BEARER = { bearer: [] };
const SUBPROTOCOL = { subprotocol: [] };

/** @param base parsed docs/openapi.yaml */
export function openApiOf(base: Document, installation: Installation): Document {
  const document = withoutTestData(base);
  const { url, streams, areDeclared, access, routing } = installation;
  const info = objectAt(document, 'info');
  info.description = generated('docs/asyncapi.yaml describes the WebSocket.');
  document.servers = [{ url: url.origin }];
  const components = objectAt(document, 'components');
  const schemas = objectAt(components, 'schemas');
  const paths = objectAt(document, 'paths') as Record<string, Document>;
  for (const path of Object.values(paths)) replaceServers(path, installation);
  const post = objectAt(paths['/events']!, 'post');
  for (const media of mediaOf(post)) delete media.examples;
  post.security = securityOf(access, [BEARER]);
  objectAt(paths['/ws']!, 'get').security = securityOf(access, [BEARER, SUBPROTOCOL]);
  const { StreamEvent: _, StreamEvents: __, ...others } = schemas;
  components.schemas = others;
  if (!areDeclared) {
    const { [POST]: ___, [SOCKET]: ____, ...rest } = paths;
    document.paths = rest;
    others.Event = streams[0]!.schema.at('#/components/schemas/Event');
    return document;
  }
  others.Event = {
    description: routing,
    anyOf: streams.map(({ name }) => ({ $ref: `#/components/schemas/${name}.Event` })),
  };
  for (const { name, schema } of streams) {
    others[`${name}.Event`] = schema.at(`#/components/schemas/${name}.Event`);
    others[`${name}.Events`] = eventsOf(`#/components/schemas/${name}.Event`, LIMITS.bodyEvents);
  }
  document.paths = Object.fromEntries(
    Object.entries(paths).flatMap(([path, item]) => {
      if (path !== POST && path !== SOCKET) return [[path, item] as const];
      return streams.map((stream) => {
        return [path.replace('{stream}', stream.name), itemOf(item, stream, path)] as const;
      });
    }),
  );
  return document;
}

/** Returns the path item of a stream. */
function itemOf(template: Document, stream: SpecifiedStream, path: string): Document {
  const item = structuredClone(template);
  for (const operation of Object.values(item) as Document[]) {
    operation.operationId = `${operation.operationId}_${stream.name}`;
    const parameters = operation.parameters as JsonObject[];
    operation.parameters = parameters.filter(({ $ref }) => $ref !== STREAM_PARAMETER);
  }
  const own = objectAt(item, path === POST ? 'post' : 'get');
  const schemes = path === POST ? [BEARER] : [BEARER, SUBPROTOCOL];
  own.security = securityOf(stream.access, schemes);
  own.summary = `${own.summary}: ${stream.name}`;
  own.description = stream.description;
  for (const media of path === POST ? mediaOf(own) : []) {
    const { $ref } = media.schema as JsonObject;
    if ($ref === '#/components/schemas/StreamEvents') {
      media.schema = { $ref: `#/components/schemas/${stream.name}.Events` };
    }
  }
  return item;
}

function mediaOf(operation: Document): Document[] {
  return Object.values(objectAt(objectAt(operation, 'requestBody'), 'content')) as Document[];
}

function securityOf(access: Access, schemes: readonly object[]): object[] {
  if (access === 'none') return [{}];
  return access === 'any' ? [{}, ...schemes] : [...schemes];
}

/** Servers of the base document are the ports by default. */
function replaceServers(path: Document, { url, adminUrl }: Installation): void {
  if (!Array.isArray(path.servers)) return;
  path.servers = path.servers.map((server: { url: string }) => ({
    ...server,
    url: server.url.endsWith(':9001') ? adminUrl : url.origin,
  }));
}
