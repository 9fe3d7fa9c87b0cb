/**
 * Records a session with a real gateway in docs/protocol.md:
 * `make build && node --import tsx scripts/transcript.ts`. Starts a Kafka of its own unless
 * KAFKA_BROKERS is set.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { openStage } from '../testing/stage.ts';
import { formatTranscript, recordTranscript, TRANSCRIPT_ENV } from '../testing/transcript.ts';

const path = new URL('../docs/protocol.md', import.meta.url);
const PLACE = /(<!-- written by scripts\/transcript\.ts -->\n+```\n)[^`]*(```\n)/;

const stage = await openStage({ env: TRANSCRIPT_ENV });
try {
  const text = formatTranscript(await recordTranscript(stage));
  const document = readFileSync(path, 'utf8');
  if (!PLACE.test(document)) throw new Error('docs/protocol.md has no placeholder for the session');
  writeFileSync(
    path,
    document.replace(PLACE, (_, before, after) => `${before}${text}${after}`),
  );
  console.log(text);
} finally {
  await stage.gateway.kill();
}
