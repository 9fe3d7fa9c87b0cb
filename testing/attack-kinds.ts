/**
 * Traffic of hostile connections: each kind uses up a worker's time, or memory, in a different way.
 */
import { gzipSync } from 'node:zlib';
import { HANDSHAKE } from './crowd-process.ts';
import { OPCODE, wsFrame } from './ws-frame.ts';

const FRAME_BYTES = 65_536;
const BODY_BYTES = 1_048_576;
/** Bytes per write of a connection; less for ordinary events, which are paced. */
const PIECE_BYTES = 262_144;
const PACED_BYTES = 16_384;
/** Length of a held message: below the frame limit, above which it would be rejected at once. */
const HELD_BYTES = 125 * 1024;

/** Behavior of one connection. */
export interface Attack {
  /** Sent first, and its response awaited; undefined = none. */
  readonly handshake?: Buffer;
  readonly bytes: Buffer;
  /** When to send `bytes` again: at once, after a response, or never. */
  readonly again: 'at once' | 'answered' | 'never';
}

type Headers = Readonly<Record<string, string>>;
/** @param place path after /ws or /events: '' or that of a stream */
type Making = (headers: Headers, place: string) => Attack;

/** Fills the space between head and tail with copies of `piece`. */
function filled(head: string, piece: string, tail: string, bytes: number): string {
  const count = Math.floor((bytes - head.length - tail.length) / piece.length);
  return `${head}${piece.repeat(count)}${tail}`;
}

function linesOf(headers: Headers): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
}

function handshakeWith(headers: Headers, place: string): Buffer {
  const text = HANDSHAKE.replace('\r\n\r\n', `\r\n${linesOf(headers)}\r\n`);
  return Buffer.from(text.replace('GET /ws ', `GET /ws${place} `));
}

function frames(opcode: number, payload: string | Buffer, bytes = PIECE_BYTES): Making {
  return (headers, place) => {
    const frame = wsFrame(opcode, payload, { mask: [0, 0, 0, 0] });
    const piece = Buffer.concat(new Array(Math.ceil(bytes / frame.length)).fill(frame));
    return { handshake: handshakeWith(headers, place), bytes: piece, again: 'at once' };
  };
}

function requestOf(payload: string | Buffer, headers: Headers, place: string): Buffer {
  const line = `POST /events${place} HTTP/1.1\r\n`;
  const head = `${line}Host: a\r\nContent-Length: ${payload.length}\r\n`;
  return Buffer.concat([Buffer.from(`${head}${linesOf(headers)}\r\n`), Buffer.from(payload)]);
}

function bodies(payload: string | Buffer, own: Headers): Making {
  return (headers, place) => ({
    bytes: requestOf(payload, { ...own, ...headers }, place),
    again: 'answered',
  });
}

/** Returns everything but the last byte. */
function held(whole: Buffer): Pick<Attack, 'bytes' | 'again'> {
  return { bytes: whole.subarray(0, -1), again: 'never' };
}

const JSON_TYPE = { 'Content-Type': 'application/json' };
const LINES_TYPE = { 'Content-Type': 'application/x-ndjson' };

/** Array of values with the maximum nesting of an event by default. */
const NEST = `${'['.repeat(60)}${']'.repeat(60)},`;
const DEEP_EVENT = `{"a":${'['.repeat(62)}${']'.repeat(62)}}`;
const INVALID = `{"msg":1,"more":"${'m'.repeat(90)}","clientId":"bad","timestamp":1}`;
const ORDINARY = `{"msg":"${'m'.repeat(90)}","clientId":"ordinary","timestamp":1}`;

const deepLines = () => filled('', `${DEEP_EVENT}\n`, '', BODY_BYTES);
const tooDeep = () => `{"a":${'['.repeat(32_000)}${']'.repeat(32_000)}}`;
const badRelease = (events: number) => `[${new Array(events).fill(INVALID).join(',')}]`;
const ordinary = (events: number) => `[${new Array(events).fill(ORDINARY).join(',')}]`;

/** A thousand MessagePack events with the maximum nesting. */
function packed(): Buffer {
  const event = [Buffer.from([0x81, 0xa0]), Buffer.alloc(62, 0x91), Buffer.from([0xc0])];
  const events = new Array<Buffer>(1_000).fill(Buffer.concat(event));
  return Buffer.concat([Buffer.from([0xdc, 0x03, 0xe8]), ...events]);
}

/** A body in chunks of one byte, above the limit of any body. */
function tinyChunks(headers: Headers, place: string): Attack {
  const head = `POST /events${place} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n`;
  const chunks = '1\r\n \r\n'.repeat(2 * BODY_BYTES + 1);
  const bytes = Buffer.from(
    `${head}${linesOf({ ...JSON_TYPE, ...headers })}\r\n${chunks}0\r\n\r\n`,
  );
  return { bytes, again: 'answered' };
}

/** Pipelined requests without a body, whose responses are ignored. */
function pipelined(headers: Headers): Attack {
  const request = `GET /livez HTTP/1.1\r\nHost: a\r\n${linesOf(headers)}\r\n`;
  return { bytes: Buffer.from(filled('', request, '', PIECE_BYTES)), again: 'at once' };
}

const KINDS = {
  deep: () => frames(OPCODE.text, filled('{"a":[', NEST, '1]}', FRAME_BYTES)),
  tooDeep: () => frames(OPCODE.text, tooDeep()),
  packed: () => frames(OPCODE.binary, packed()),
  numbers: () => frames(OPCODE.text, filled('{"a":[', '1,', '1]}', FRAME_BYTES)),
  events: () => frames(OPCODE.text, filled('[', '{},', '{}]', 3_000)),
  tiny: () => frames(OPCODE.text, '{}'),
  pings: () => frames(OPCODE.ping, ''),
  lines: () => bodies(deepLines(), LINES_TYPE),
  gzip: () => bodies(gzipSync(deepLines()), { ...LINES_TYPE, 'Content-Encoding': 'gzip' }),
  array: () => bodies(filled('[', '{},', '{}]', 30_000), JSON_TYPE),
  chunks: (): Making => tinyChunks,
  pipelined: (): Making => pipelined,
  short: () => bodies(filled('{"a":[', NEST, '1]}', 16_000), JSON_TYPE),
  /** A bad release: events of the usual size that violate a schema with a text `msg`. */
  invalid: () => frames(OPCODE.text, badRelease(5)),
  /** Control: traffic that any client may send. */
  ordinaryFrames: () => frames(OPCODE.text, ordinary(5), PACED_BYTES),
  ordinaryBodies: () => bodies(ordinary(10), JSON_TYPE),
  /** Attacks on memory. */
  heldBodies: (): Making => (headers, place) =>
    held(requestOf(Buffer.alloc(BODY_BYTES, ' '), { ...JSON_TYPE, ...headers }, place)),
  heldMessages: (): Making => (headers, place) => ({
    handshake: handshakeWith(headers, place),
    ...held(wsFrame(OPCODE.text, Buffer.alloc(HELD_BYTES, ' '), { mask: [0, 0, 0, 0] })),
  }),
} satisfies Readonly<Record<string, () => Making>>;

export type AttackKind = keyof typeof KINDS;

/** Kinds that attack the event loop. */
export const LOOP_KINDS = [
  ...['deep', 'tooDeep', 'packed', 'numbers', 'events', 'tiny', 'pings'],
  ...['lines', 'gzip', 'array', 'short', 'chunks', 'pipelined'],
] as readonly AttackKind[];

/**
 * @param headers headers of handshakes and requests, for example for authentication
 * @param stream in the path; undefined = none
 */
export function attackOf(kind: AttackKind, headers: Headers = {}, stream?: string): Attack {
  return KINDS[kind]()(headers, stream === undefined ? '' : `/${stream}`);
}

/** Returns the control with the transport of this kind. */
export function ordinaryOf(kind: AttackKind): AttackKind {
  return attackOf(kind).handshake === undefined ? 'ordinaryBodies' : 'ordinaryFrames';
}
