import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reasonFor } from '../../../src/worker/producer/reasons.ts';

/** As they were seen, addresses of memory and files cut out. */
const SEEN: readonly (readonly [string, RegExp])[] = [
  ['Connection error: write EPROTO SSL routines:ssl3_get_record:wrong version number', /speak TLS/],
  ['Connection error: SSL routines:ssl3_read_bytes:sslv3 alert bad certificate', /wants one/],
  ['Connection error: SSL routines:ssl3_read_bytes:sslv3 alert certificate unknown', /our cert/],
  ['Connection error: SSL routines:ssl3_read_bytes:tlsv1 alert unknown ca', /our cert/],
  ['Connection error: SSL routines:ssl3_read_bytes:tlsv13 alert certificate required', /wants one/],
  ["Connection error: Hostname/IP does not match certificate's altnames: IP: 10.0.0.7", /another/],
  ['Connection error: certificate has expired', /has expired$/],
  ['Connection error: self-signed certificate in certificate chain', /not trusted: KAFKA_TLS_CA/],
  ['Connection error: unable to verify the first certificate', /not trusted: KAFKA_TLS_CA/],
  ['Closed connection', /expect TLS or SASL/],
  ['connect ECONNREFUSED 10.0.0.7:9092', /^Kafka cannot be reached$/],
];

test('each error of TLS says what to look at, and names no address', () => {
  for (const [message, expected] of SEEN) {
    const reason = reasonFor({ why: 'connection', message });
    assert.match(reason, expected, message);
    assert.doesNotMatch(reason, /10\.0\.0\.7/);
  }
  assert.equal(reasonFor({ why: 'guard', message: 'closed' }), 'Kafka cannot be reached');
});
