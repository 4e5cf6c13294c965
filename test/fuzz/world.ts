import { createHash } from 'node:crypto';
import type { Known } from './valid.ts';

export const redirectUri = 'http://127.0.0.1:4999/callback';
export const codeVerifier = 'v'.repeat(43);
export const codeChallenge = createHash('sha256').update(codeVerifier).digest('base64url');

/** What there is in the seeded workspace: everything a good request needs. */
export type World = {
  url: string;
  key: string;
  /** Opens `/_mcp`, with every scope. */
  token: string;
  resource: string;
  clientId: string;
  codes: string[];
  refreshTokens: string[];
  consents: { path: string; cookie: string }[];
  ticketSecrets: string[];
  connectionId: string;
  /** Channels that may be deleted. */
  spareConnectionIds: string[];
  /** Assignments that may be cancelled, and that may be tried again. */
  doomedIds: string[];
  failedIds: string[];
  publishedId: string;
  /** Values of input members, by name. */
  known: Known;
  /** Epoch ms. */
  now: number;
};

export type Memory = { heapBytes: number; externalBytes: number; residentBytes: number };

export type Books = {
  /** Hundredths of a credit: what is left, and the sum of all entries. */
  balance: number;
  ledger: number;
  /** Debits that stand or were returned with their assignment. */
  debits: number;
  open: number;
};

/** What the server's process is asked, and answers. */
export type Questions = {
  world: World;
  memory: Memory;
  footprint: Record<string, unknown>;
  books: Books;
  /** Log lines of errors since the last time. */
  errors: string[];
};
