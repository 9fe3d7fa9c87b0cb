/** Fixed limits of `schema try`. They bound its memory and its report. */
export const TRY_LIMITS = {
  /** Distinct reasons that it lists; events with further ones are only counted. */
  reasons: 200,
  /** Reasons in its text output. */
  shownReasons: 20,
  /** Maximum of `--examples`. */
  examples: 20,
  /** Characters of an event in an example. */
  exampleLength: 500,
} as const;
