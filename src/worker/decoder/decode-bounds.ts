/** Bounds of the events of a frame or body. */
export interface DecodeBounds {
  /** Maximum events of a frame; beyond it the whole frame is rejected `too_many_events`. */
  readonly maxEvents: number;
  /** Maximum bytes of an event; beyond it the event is rejected `too_large`. */
  readonly maxEventBytes: number;
  /** Maximum nesting of arrays and objects, counting the event itself; beyond it the event is
   * rejected `too_deep`. */
  readonly maxDepth: number;
}
