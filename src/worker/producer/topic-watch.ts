/**
 * What to believe of one topic, answer by answer. Pure code: no network, no clock.
 *
 * A topic never loses partitions, but another topic may take its name. Its partitions are adopted
 * at
 * once if its id is another one, or if the topic was missing before. Where neither is known, fewer
 * partitions than before are believed when more than one broker says so, or a single known broker
 * says so for a while: one answer may come from a broker that has not heard of all partitions yet.
 * The
 * same holds for the id of a former topic: an id does not tell which topic is the younger one.
 */
import { LIMITS } from '../../config/limits.ts';
import { UNKNOWN_TOPIC_OR_PARTITION } from './error-table.ts';

/**
 * Ids of former topics that are remembered: an answer with one of them is most likely out of date.
 */
const FORMER_IDS_MAX = 16;

/** One broker's answer about the topic. */
export interface TopicAnswer {
  readonly topicErrorCode: number;
  readonly topicId?: string;
  readonly partitionMetadata: readonly { readonly partitionId: number; readonly leader: number }[];
}

/** Origin of an answer. */
export interface AnswerOrigin {
  /** Broker id; undefined = asked at an address that no broker advertises. */
  readonly broker: number | undefined;
  /** Number of brokers that the answer names. */
  readonly brokers: number;
}

export type Finding =
  | { readonly state: 'missing' }
  | { readonly state: 'failed'; readonly errorCode: number }
  /** It is about a former topic of this name. */
  | { readonly state: 'stale' }
  | {
      readonly state: 'known';
      /** Broker id of each partition's leader, by partition; -1 = none now. */
      readonly leaders: readonly number[];
      /** The topic was created again since the last finding, as far as can be told. */
      readonly recreated: boolean;
      /** Fewer partitions than before, not believed yet. */
      readonly doubtful: boolean;
    };

/** Answers in a row that agree on fewer partitions, or on the id of a former topic. */
interface Odd {
  readonly count: number;
  readonly topicId: string | undefined;
  readonly sinceMs: number;
  answers: number;
  readonly brokers: Set<number>;
}

export class TopicWatch {
  #count = 0;
  #id: string | undefined;
  readonly #formerIds: string[] = [];
  #wasMissing = false;
  #odd: Odd | undefined;

  take(answer: TopicAnswer, origin: AnswerOrigin, nowMs: number): Finding {
    const { topicErrorCode: errorCode, topicId } = answer;
    if (errorCode === UNKNOWN_TOPIC_OR_PARTITION) {
      this.#wasMissing = true;
      this.#odd = undefined;
      return { state: 'missing' };
    }
    if (errorCode !== 0) return { state: 'failed', errorCode };
    const count = answer.partitionMetadata.length;
    const isFormer = topicId !== undefined && this.#formerIds.includes(topicId);
    const knowsId = topicId !== undefined && this.#id !== undefined;
    const isAnother = knowsId ? topicId !== this.#id : this.#wasMissing;
    // No topic is without partitions: that broker has yet to hear of them.
    const isNew = isAnother && !isFormer && count > 0;
    const isOdd = isFormer || count === 0 || (count < this.#count && !isNew);
    const believed = !isOdd || this.#agree(answer, knowsId && !isFormer, origin, nowMs);
    if (isFormer && !believed) return { state: 'stale' };
    const recreated = this.#count > 0 && (isNew || (isOdd && believed));
    if (believed) {
      this.#count = count;
      this.#odd = undefined;
      this.#remember(topicId);
    }
    if (count > 0) this.#wasMissing = false;
    const leaders = new Array<number>(this.#count).fill(-1);
    for (const { partitionId, leader } of answer.partitionMetadata) {
      // An id beyond the count is a hole of that answer: one more to ask for.
      if (partitionId < this.#count) leaders[partitionId] = leader;
    }
    return { state: 'known', leaders, recreated, doubtful: !believed };
  }

  /** @returns whether enough answers in a row agree on an id and a number of partitions */
  #agree(
    { topicId, partitionMetadata }: TopicAnswer,
    sameId: boolean,
    { broker, brokers }: AnswerOrigin,
    nowMs: number,
  ): boolean {
    const count = partitionMetadata.length;
    if (count === 0) return false;
    if (this.#odd?.count !== count || this.#odd.topicId !== topicId) {
      this.#odd = { count, topicId, sinceMs: nowMs, answers: 0, brokers: new Set() };
    }
    const odd = this.#odd;
    odd.answers++;
    if (broker !== undefined) odd.brokers.add(broker);
    const { answers, steadyMs, aloneMs } = LIMITS.fewerPartitions;
    const lastsMs = odd.answers >= answers ? nowMs - odd.sinceMs : 0;
    const several = odd.brokers.size > 1;
    // Under the same id it is most likely an old view, even if brokers share it.
    if (several && !sameId) return true;
    return lastsMs >= (several || brokers === 1 ? steadyMs : aloneMs);
  }

  #remember(topicId: string | undefined): void {
    if (topicId === undefined || topicId === this.#id) return;
    const former = this.#formerIds.indexOf(topicId);
    if (former >= 0) this.#formerIds.splice(former, 1);
    if (this.#id !== undefined) this.#formerIds.push(this.#id);
    if (this.#formerIds.length > FORMER_IDS_MAX) this.#formerIds.shift();
    this.#id = topicId;
  }
}
