/** `node --import tsx deploy/kafka/cli.ts up [--port 9092] | down | brokers`, for the Makefile. */
import { parseArgs } from 'node:util';
import { down, PLACE, PORT, runningBrokers, up } from './service.ts';

const USAGE = 'usage: cli.ts up [--port 9092] | down | brokers';
const say = (line: string) => console.log(line);

/** Prints the brokers to use: KAFKA_BROKERS if it is set, else those of `up`. */
function printBrokers(): number {
  const brokers = process.env.KAFKA_BROKERS || runningBrokers(PLACE)?.join(',');
  if (brokers === undefined) {
    console.error('no Kafka runs here: make kafka starts one, or set KAFKA_BROKERS');
    return 1;
  }
  say(brokers);
  return 0;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { port: { type: 'string', default: String(PORT) } },
  });
  const port = Number(values.port);
  if (positionals.length !== 1 || !Number.isInteger(port) || port < 1 || port > 65_535) {
    console.error(USAGE);
    return 2;
  }
  switch (positionals[0]) {
    case 'up': {
      const state = await up(PLACE, port, say);
      say(`Kafka runs at ${state.brokers.join(',')} (make kafka-stop ends it)`);
      return 0;
    }
    case 'down':
      say((await down(PLACE)) ? 'Kafka has stopped; its data is kept' : 'no Kafka runs here');
      return 0;
    case 'brokers':
      return printBrokers();
    default:
      console.error(USAGE);
      return 2;
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
