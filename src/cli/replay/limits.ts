/** Fixed limits of `replay`. */
export const REPLAY_LIMITS = {
  /**
   * Dead letters that are begun and not confirmed at any time, at least one per partition: a run
   * that is killed causes up to as many marked repeats.
   */
  window: 1_000,
  /** Distinct reasons in the report; of further ones only the sum. */
  reasons: 100,
} as const;
