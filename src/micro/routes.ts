/** Requests about the log, on the admin port: docs/micro.md describes them. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { boundedMessage, REQUEST_CODES } from '../common/errors.ts';
import type { AdminRoutes } from '../primary/admin.ts';
import { refuse, refuseAs, refuseMethod, reply, replyJson } from '../primary/replies.ts';
import type { EventLog } from './event-log.ts';
import { type Expectation, Expectations, type Expected } from './expectation.ts';
import { MICRO_LIMITS } from './limits.ts';
import { BadRequest, readBody, readExpectation, readSelection } from './requests.ts';

/**
 * Returns the routes.
 * @param streams returns the names of all streams
 */
export function microRoutes(log: EventLog, streams: () => readonly string[]): AdminRoutes {
  const expectations = new Expectations(log);
  const answers: Readonly<Record<string, readonly [method: 'GET' | 'POST', Answer]>> = {
    '/micro/events': ['GET', async (...exchange) => answerEvents(log, streams(), ...exchange)],
    '/micro/reset': ['POST', async (...exchange) => answerReset(log, ...exchange)],
    '/micro/expect': [
      'POST',
      (...exchange) => answerExpectation(log, expectations, streams(), ...exchange),
    ],
  };
  return (path, request, response, refusal) => {
    const route = Object.hasOwn(answers, path) ? answers[path] : undefined;
    if (route === undefined) return undefined;
    const [method, answer] = route;
    return answered(request, response, async () => {
      if (request.method !== method) return refuseMethod(request, response, method);
      if (refusal !== undefined) return refuseAs(request, response, refusal);
      await answer(request, response);
    });
  };
}

type Answer = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

async function answered(
  request: IncomingMessage,
  response: ServerResponse,
  answer: () => Promise<void>,
): Promise<void> {
  try {
    await answer();
  } catch (error) {
    if (!(error instanceof BadRequest)) throw error;
    // A body that was not read to its end would be taken for the next request.
    response.setHeader('Connection', 'close');
    refuse(request, response, 'bad_request', boundedMessage(error.message));
  }
}

function answerEvents(
  log: EventLog,
  streams: readonly string[],
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const selection = readSelection(request.url ?? '', streams);
  const { lines, next, more } = log.select(selection);
  const notKept = log.notKept(selection.stream);
  const others = `${JSON.stringify({ next, more, notKept, isKafka: false })}\n`;
  // The lines are JSON already.
  if (selection.format === 'ndjson') {
    const text = [...lines, others].join('\n');
    return reply(request, response, 200, 'application/x-ndjson', text);
  }
  const text = `{"events":[${lines.join(',')}],${others.slice(1)}`;
  reply(request, response, 200, 'application/json', text);
}

function answerReset(log: EventLog, request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  replyJson(request, response, 200, { removed: log.reset() });
}

async function answerExpectation(
  log: EventLog,
  expectations: Expectations,
  streams: readonly string[],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const expectation = readExpectation(await readBody(request), streams);
  if (!expectations.hasRoom) return refuse(request, response, 'too_many_connections');
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const { met, ...found } = await expectations.wait(expectation, gone.signal);
  if (met) return replyJson(request, response, 200, { met, ...found });
  const error = { code: 'expectation_failed', message: differenceOf(expectation, found) };
  const rejected = lastRejections(log, expectation.stream);
  const status = REQUEST_CODES.expectation_failed.http;
  replyJson(request, response, status, { met, ...found, error, rejected });
}

function differenceOf(
  { stream = 'all streams', good, bad }: Expectation,
  found: Pick<Expected, 'good' | 'bad' | 'waitedMs'>,
): string {
  const parts = [
    ...(good === undefined ? [] : [`${found.good} good of ${good} expected`]),
    ...(bad === undefined ? [] : [`${found.bad} bad of ${bad} expected`]),
  ];
  return `${stream}: ${parts.join(', ')}, after ${found.waitedMs} ms`;
}

/** Returns the last rejections, which often explain a difference. */
function lastRejections(log: EventLog, stream: string | undefined): unknown[] {
  const all = { stream, outcome: 'rejected', since: 0 } as const;
  const unlimited = { limit: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY };
  const { lines } = log.select({ ...all, ...unlimited });
  return lines.slice(-MICRO_LIMITS.shownRejections).map((line) => JSON.parse(line) as unknown);
}
