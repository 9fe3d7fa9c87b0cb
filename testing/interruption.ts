/**
 * Makes SIGINT and SIGTERM end this process through its exit listeners: these kill the gateways
 * that it started, which would outlive it otherwise. Exit code: 128 and the number of the signal.
 */
export function exitWhenInterrupted(): void {
  for (const [signal, number] of [
    ['SIGINT', 2],
    ['SIGTERM', 15],
  ] as const) {
    process.once(signal, () => process.exit(128 + number));
  }
}
