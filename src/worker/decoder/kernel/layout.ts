/**
 * Layout of a table, which tells the kernel and the table validator how to decide events by their
 * bytes. A table is a sequence of 32-bit little-endian words, then texts; offsets are in bytes from
 * its start, constants of this file in words unless they say otherwise. Offset 0 means "none". The
 * kernel imports this file: it contains only constants that are integers.
 */

/** Types of a value, as bits. A number that is an integer has INTEGER alone: 1, 1.0, 1e3. */
export const OBJECT = 1;
export const ARRAY = 2;
export const STRING = 4;
export const INTEGER = 8;
/** A number that is not an integer. */
export const FRACTION = 16;
export const TRUE = 32;
export const FALSE = 64;
export const NULL = 128;
export const ALL_TYPES = 255;

/** Fields of the record that a value fills, as bits. The key may consist of several parts. */
export const KEY_PARTS_MAX = 4;
export const KEY_0 = 1;
export const ID = 16;
export const TRACE = 32;
/** The time of the event: an integer. */
export const TIME_NUMBER = 64;
/** The time of the event: a text. */
export const TIME_TEXT = 128;
export const ROUTE = 256;
/** The value is on the path to a field: null or an array is undecided. */
export const ON_PATH = 512;

/**
 * Start of a table. First the node that locates the routing field alone; 0 = all events have the
 * first profile.
 */
export const HEADER_ROUTE = 0;
/** Set of texts of the routing field; values are indexes of profiles. */
export const HEADER_ROUTES = 1;
/** Index of a profile: the event is undecided. */
export const NO_PROFILE = -1;
/** Indexes of the profiles of events without the field, and with another text. */
export const HEADER_ABSENT = 2;
export const HEADER_UNKNOWN = 3;
/** Then the node of each profile; 0 = undecided. */
export const HEADER_WORDS = 4;

/** Node: checks of a value. A value of any other type is undecided. */
export const NODE_TYPES = 0;
export const NODE_CAPTURES = 1;
/** Rules for a type; 0 = any value of the type. */
export const NODE_OBJECT = 2;
export const NODE_ARRAY = 3;
export const NODE_STRING = 4;
export const NODE_NUMBER = 5;
export const NODE_WORDS = 6;

/** Rule of objects. */
export const OBJECT_NAMES = 0;
/** Node of values with other names; 0 = undecided. */
export const OBJECT_OTHERS = 1;
/** Number of words of each set of named properties, one bit for each. */
export const OBJECT_SET_WORDS = 2;
/** Minimum of named properties, maximum of all. */
export const OBJECT_MIN = 3;
export const OBJECT_MAX = 4;
/** Then the set of required properties, then the nodes of all named ones. */
export const OBJECT_WORDS = 5;
/** Maximum of named properties. */
export const PROPERTIES_MAX = 1024;

/** Rule of arrays. */
export const ARRAY_ITEMS = 0;
export const ARRAY_MIN = 1;
export const ARRAY_MAX = 2;
/** 1 = two items or more are undecided, since they must differ. */
export const ARRAY_UNIQUE = 3;
/** Number of first items with nodes of their own, which follow. */
export const ARRAY_PREFIX = 4;
export const ARRAY_WORDS = 5;

/** Rule of strings. Lengths are in code points. */
export const STRING_MIN = 0;
export const STRING_MAX = 1;
/** Set of accepted texts; 0 = all. */
export const STRING_TEXTS = 2;
/** Number of automata, whose offsets follow; each must accept the text. */
export const STRING_AUTOMATA = 3;
export const STRING_WORDS = 4;

/** Rule of numbers. */
export const NUMBER_FLAGS = 0;
export const HAS_MIN = 1;
export const MIN_IS_EXCLUSIVE = 2;
export const HAS_MAX = 4;
export const MAX_IS_EXCLUSIVE = 8;
export const HAS_MULTIPLE = 16;
/** Number of accepted values, which follow in ascending order; 0 = all. */
export const NUMBER_VALUES = 1;
/** Doubles, of two words each. */
export const NUMBER_MIN = 2;
export const NUMBER_MAX = 4;
export const NUMBER_MULTIPLE = 6;
export const NUMBER_WORDS = 8;

/** Set of texts: a hash table with open addressing and linear probing. */
export const SET_MASK = 0;
/** Then one entry for each of its `mask + 1` places. The place of a text is `murmur2 & mask`. */
export const SET_WORDS = 1;
export const ENTRY_HASH = 0;
/** Offset of the text. */
export const ENTRY_TEXT = 1;
/** Length of the text in bytes; -1 = the place is empty. */
export const ENTRY_BYTES = 2;
export const ENTRY_VALUE = 3;
export const ENTRY_WORDS = 4;

/** Deterministic finite automaton over the bytes of a text. State 0 accepts nothing. */
export const AUTOMATON_START = 0;
export const AUTOMATON_STATES = 1;
export const AUTOMATON_CLASSES = 2;
/**
 * Then the class of each byte: 256 bytes; one byte per state, 1 = accepting, filled up to a whole
 * word; the next state of each state and class: 16 bits.
 */
export const AUTOMATON_WORDS = 3;

/** Result of an event: words. Positions are offsets in the bytes of its frame. */
export const RESULT_START = 0;
/** Offset after the event. */
export const RESULT_END = 1;
/** Index of its profile; -1 = the event is undecided. */
export const RESULT_PROFILE = 2;
/** Murmur2 of the first part of the key, if there is one. */
export const RESULT_KEY_HASH = 3;
/**
 * Fields of the record: a start and a length in bytes for each; a length of -1 = none. Strings are
 * without their quotes. First the parts of the key.
 */
export const RESULT_KEY = 4;
export const RESULT_ID = 12;
export const RESULT_TIME = 14;
export const RESULT_TRACE = 16;
export const RESULT_WORDS = 18;
