/**
 * Regions of the kernel's memory, in bytes. Behind the tables follow input and scratch memory, which
 * grow. The kernel imports this file: it contains only constants that are integers.
 */
import { RESULT_WORDS } from './layout.ts';

const WORD = 4;
const KIB = 1024;

/** Sets of seen properties: one for each open object. It suffices for 1,000 levels. */
export const SETS = KIB;
export const SETS_END = SETS + 128 * KIB;
/** Results of events, as in layout.ts, and their maximum number. */
export const RESULTS = SETS_END;
export const RESULTS_MAX = 10_000;
/** Tables in use. A longer table enlarges the region. */
export const TABLES = RESULTS + RESULTS_MAX * RESULT_WORDS * WORD;
export const TABLES_BYTES = 4 * KIB * KIB;
/** Bytes behind the input and the scratch memory that may be read or written: several at once. */
export const PADDING = 64;
