import type { MediaFile } from './media.ts';

/** What the client of a drill knows of its own calls, and nothing else. */

export type Door = 'rest' | 'mcp';

/** `unknown` = no answer came, or one that says nothing of the outcome. */
export type Effect = 'done' | 'refused' | 'unknown';

export type Content = {
  description: string;
  /** Epoch ms; undefined = at once. */
  scheduledAt: number | undefined;
};

export type Write = {
  operation: 'update' | 'cancel' | 'retry';
  door: Door;
  /** What an update makes of the post. */
  content?: Content;
};

export type Post = {
  /** Title, external id, and part of the idempotency key. */
  tag: string;
  door: Door;
  keyed: boolean;
  created: Effect;
  /** Known once the creation is acknowledged. */
  id?: string;
  media: MediaFile;
  /** As it was acknowledged last. */
  content: Content;
  /** Acknowledged writes after the creation. */
  writes: Write[];
  /** A write without an answer. Nothing more is asked of the post then, so that its state tells what became of it. */
  doubt?: Write;
  /** A call about it is under way. */
  busy: boolean;
  /** What its webhooks told last. */
  told?: string;
};

/** One message as it came. */
export type Reception = {
  webhookId: string;
  tag: string;
  sequence: number;
  /** ms, on the clock of the kills. */
  at: number;
  /** A 2xx was sent. */
  taken: boolean;
};

/** Hundredths of a credit, as the price list says. */
const prices = { create: 300, update: 200, cancel: 200, retry: 300, read: 100 };

export function priceOf(operation: keyof typeof prices, door: Door): number {
  return door === 'mcp' ? (prices[operation] * 6) / 5 : prices[operation];
}
