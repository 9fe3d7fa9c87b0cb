/** Upper bounds of the buckets of durations. */
export const seconds = [
  0.001, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120,
] as const;
/** Decoding a frame takes microseconds. */
export const stageSeconds = [
  0.00001,
  0.000025,
  0.00005,
  0.0001,
  0.00025,
  0.0005,
  ...seconds,
] as const;
