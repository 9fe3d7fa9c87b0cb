import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  describeForeignResponse,
  describeSocketError,
  reasonFor,
} from '../../../src/worker/producer/connection-errors.ts';

/** Messages as observed, without addresses of memory and files. */
const SEEN: readonly (readonly [string, RegExp])[] = [
  ['Connection error: write EPROTO SSL routines:ssl3_get_record:wrong version number', /speak TLS/],
  ['Connection error: SSL routines:ssl3_read_bytes:sslv3 alert bad certificate', /client cert/],
  ['Connection error: SSL routines:ssl3_read_bytes:sslv3 alert certificate unknown', /client cert/],
  ['Connection error: SSL routines:ssl3_read_bytes:tlsv1 alert unknown ca', /client cert/],
  [
    'Connection error: SSL routines:ssl3_read_bytes:tlsv13 alert certificate required',
    /client cert/,
  ],
  ["Connection error: Hostname/IP does not match certificate's altnames: IP: 10.0.0.7", /another/],
  ['Connection error: certificate has expired', /has expired$/],
  ['Connection error: self-signed certificate in certificate chain', /not trusted: KAFKA_TLS_CA/],
  ['Connection error: unable to verify the first certificate', /not trusted: KAFKA_TLS_CA/],
  ['Closed connection', /expect TLS or SASL/],
  ['connection lost: Closed connection', /^the connection to Kafka was lost$/],
  ['connect ECONNREFUSED 10.0.0.7:9092', /^Kafka cannot be reached: connection refused$/],
  ['Connection error: getaddrinfo ENOTFOUND kafka.invalid', /host name cannot be resolved$/],
  ['Connection error: getaddrinfo EAI_AGAIN kafka.invalid', /host name cannot be resolved$/],
  ['Connection error: connect EHOSTUNREACH 10.0.0.7:9092', /: no route to the host$/],
  ['Connection error: connect EHOSTDOWN 10.0.0.7:9092', /: no route to the host$/],
  ['Connection error: connect ENETDOWN 10.0.0.7:9092', /: no route to the host$/],
  ['connect ETIMEDOUT 10.0.0.7:9092', /^Kafka cannot be reached: no connection in time$/],
  ['Connection timeout', /^Kafka cannot be reached: no connection in time$/],
  ['Connection error: read ECONNRESET', /^Kafka closed the connection: .* TLS or SASL/],
  ['Connection error: write EPIPE', /^Kafka closed the connection: .* TLS or SASL/],
  ['write ECONNABORTED', /^Kafka closed the connection: .* TLS or SASL/],
  ['connection lost: read ECONNRESET', /^the connection to Kafka was lost$/],
  ['Connection error: certificate is not yet valid', /certificate is not valid yet/],
  ['connect EACCES 10.0.0.7:9092', /^Kafka cannot be reached$/],
  ['no connection within 1000 ms', /^Kafka cannot be reached: no connection in time$/],
];

test('each TLS error names what to check, and no address', () => {
  for (const [message, expected] of SEEN) {
    const reason = reasonFor({ why: 'connection', message });
    assert.match(reason, expected, message);
    assert.doesNotMatch(reason, /10\.0\.0\.7/);
  }
  assert.equal(reasonFor({ why: 'guard', message: 'closed' }), 'Kafka does not answer');
});

/** Responses of real servers to the first request, and the server that the hint names. */
const FOREIGN_RESPONSES: readonly (readonly [bytes: string, expected: RegExp])[] = [
  ['HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n', /an HTTP server/],
  ['http/1.0 400 bad request\r\n\r\n', /an HTTP server/],
  ['\r\n\r\nHTTP/1.1 400 Bad Request\r\n', /an HTTP server/],
  ['<!DOCTYPE HTML PUBLIC "-//IETF//DTD HTML 2.0//EN">', /an HTTP server/],
  ['<!doctype html>', /an HTTP server/],
  ['\n <html>\r\n<head><title>400 The plain HTTP request', /an HTTP server/],
  ['<HTML lang=en>', /an HTTP server/],
  ['<?xml version="1.0"?>', /something other than Kafka/],
  ['ssh-2.0-x', /an SSH server/],
  ['SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n', /an SSH server/],
  ['-ERR unknown command\r\n', /a Redis server/],
  ['-NOAUTH Authentication required.\r\n', /a Redis server/],
  ['E\0\0\0\x87SFATAL\0VFATAL\0C0A000\0Munsupported frontend protocol 0.18', /a PostgreSQL/],
  ['\x15\x03\x03\0\x02\x02P', /expects TLS: KAFKA_TLS=1/],
  ['220 mail.example ESMTP\r\n', /something other than Kafka/],
  ['J\0\0\0\n8.0.36\0', /something other than Kafka/],
];

test('the server of a foreign response is named, without control characters in the log text', () => {
  for (const [bytes, expected] of FOREIGN_RESPONSES) {
    const message = describeForeignResponse(Buffer.from(bytes, 'latin1'));
    assert.match(reasonFor({ why: 'bad_response', message }), expected, message);
    assert.match(message, /^[ -~]*$/);
  }
  assert(describeForeignResponse(Buffer.alloc(10_000, 'x')).length < 100, 'only its start');
});

test('an error for several addresses of a name contains all their messages', () => {
  const each = ['::1', '127.0.0.1'].map((host) => new Error(`connect ECONNREFUSED ${host}:9092`));
  const text = describeSocketError(new AggregateError(each));
  assert.equal(text, 'connect ECONNREFUSED ::1:9092; connect ECONNREFUSED 127.0.0.1:9092');
  assert.equal(describeSocketError(new Error('read ECONNRESET')), 'read ECONNRESET');
});
