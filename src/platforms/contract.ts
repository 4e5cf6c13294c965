import type { z } from 'zod';
import type { ContentType } from '../domain/assignment.ts';

/**
 * Sends a request to the hosts of one network and to nothing else. Redirects are never followed. An error with
 * `sent: false` says that no byte of the request left this machine.
 */
export type PlatformFetch = (
  url: string,
  init?: {
    method?: string;
    headers?: Record<string, string>;
    body?: string | Uint8Array | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;
    signal?: AbortSignal;
  },
) => Promise<Response>;

/** Where a platform is reached: the real one, one the operator set, or the sandbox network. */
export type Network = {
  sandbox: boolean;
  clientId: string;
  clientSecret: string;
  /** Bases without trailing slash, e.g. `https://www.googleapis.com` or `http://127.0.0.1:3000/youtube`. */
  bases: Record<BaseName, string>;
  fetch: PlatformFetch;
};

export type BaseName = 'consent' | 'token' | 'api' | 'upload';

/** What a platform gave us for one account; sealed at rest, never returned. `expiresAt` is epoch ms. */
export type Tokens = { accessToken: string; refreshToken?: string; expiresAt?: number; scopes: string[] };

/** One channel or page that a consent opened. */
export type Account = { id: string; name: string; handle?: string; thumbnailUrl?: string; tokens: Tokens };

export type MediaRules = {
  /** Accepted types, e.g. `video/mp4`; compared with what the bytes show. */
  contentTypes: readonly string[];
  maxBytes: number;
  maxSeconds?: number;
  min: number;
  max: number;
};

/** What one content type accepts; capabilities, validation and forms all follow from it. */
export type ContentSpec = { payload: z.ZodType<Record<string, unknown>>; media?: MediaRules };

/** The post to make. `publicName` may be shown to the platform (file name) and identifies the job there. */
export type Draft = {
  assignmentId: string;
  publicName: string;
  type: ContentType;
  payload: Record<string, unknown>;
  accountId: string;
};

/** An open source of media bytes that starts at the asked offset; `total` is absent when the source does not tell. */
export type MediaStream = { body: AsyncIterable<Uint8Array>; total?: number; contentType: string };

export type StepIo = {
  network: Network;
  accessToken: string;
  signal: AbortSignal;
  /** Epoch ms. */
  now: () => number;
  /** Opens the draft's file number `index` at a byte offset. Throws a PlatformFailure of ours when it cannot. */
  openMedia(index: number, offset: number): Promise<MediaStream>;
  /** Stores progress durably (and renews the claim); resolves once it is committed. Throws when the claim is lost. */
  save(progress: Progress): Promise<void>;
  /** Tells bytes sent, for people watching; cheap, written at most once a second. */
  report(bytesSent: number, bytesTotal?: number): void;
};

/** For a question asked at once, outside any job. */
export type LookIo = Pick<StepIo, 'network' | 'accessToken' | 'signal' | 'now'>;

/** What a platform counts; a number it withholds is absent, never zero. */
export type ChannelStats = { subscribers?: number; totalViews?: number; totalPosts?: number };
export type PostStats = { views?: number; likes?: number; comments?: number; shares?: number };

/** Connector-private JSON that survives a crash between steps. */
export type Progress = Record<string, unknown>;

export type StepResult =
  /** The media is there and only the call that makes the post is missing. */
  | { state: 'ready'; progress: Progress }
  /** The post exists and the platform still works on it; ask again after `afterMs`. */
  | { state: 'uploaded' | 'processing'; progress: Progress; postId?: string; afterMs: number }
  | { state: 'published'; postId: string; url: string };

/**
 * Looking for a post that a crashed step may have made. `absent` may only be answered when it is certain;
 * `unclear` ends the job as `outcome_unknown`.
 */
export type FindResult = StepResult | { state: 'absent'; progress: Progress } | { state: 'unclear' };

export type ConnectRequest = { redirectUri: string; state: string; codeChallenge: string };

/** One network. Data first, then one function per visible state. */
export type Connector = {
  slug: string;
  name: string;
  content: Partial<Record<ContentType, ContentSpec>>;
  /** Origins of the real network; replaced as a whole by operator settings or the sandbox. */
  bases: Record<BaseName, string>;
  /** Hosts a bearer token may be sent to on the real network. */
  hosts: readonly string[];
  oauth: {
    authorizeUrl(network: Network, request: ConnectRequest): string;
    exchange(
      network: Network,
      answer: { code: string; redirectUri: string; codeVerifier: string },
      now: number,
      signal: AbortSignal,
    ): Promise<Tokens>;
    /** Throws `reauthorize` only when the platform says the grant is dead. Keeps the old refresh token when none comes. */
    refresh(network: Network, tokens: Tokens, now: number, signal: AbortSignal): Promise<Tokens>;
    revoke?(network: Network, tokens: Tokens, signal: AbortSignal): Promise<void>;
    accounts(network: Network, tokens: Tokens, signal: AbortSignal): Promise<Account[]>;
  };
  /** Brings the media over, up to but not including the call that makes the post. Resumes from `progress`. */
  upload?(draft: Draft, progress: Progress, io: StepIo): Promise<StepResult>;
  /**
   * The once-step: makes the post. Throws a PlatformFailure other than `unknown` only when it is certain that nothing was
   * made; the job then goes on with `upload`. Any other end is never repeated before `find` has looked.
   */
  publish(draft: Draft, progress: Progress, io: StepIo): Promise<StepResult>;
  /** Asks how far the platform is. */
  check(draft: Draft, progress: Progress, io: StepIo): Promise<StepResult>;
  find(draft: Draft, progress: Progress, io: StepIo): Promise<FindResult>;
  /** What the platform counts now. Both throw PlatformFailure: `rejected` says that channel or post is no longer there. */
  channelStats(accountId: string, io: LookIo): Promise<ChannelStats>;
  postStats(postId: string, io: LookIo): Promise<PostStats>;
};

/** A network that is listed but cannot be published to yet. */
export type PlannedPlatform = { slug: string; name: string; contentTypes: readonly ContentType[] };

export type FailureKind =
  /** Can heal by itself: network, 5xx, throttling. */
  | 'retry'
  /** The access token is not accepted, or the grant is dead. */
  | 'reauthorize'
  /** The platform or the source says no for good. */
  | 'rejected'
  /** The platform did away with the post it had taken: that post will never be seen, so another one may be made. */
  | 'unmade'
  /** Sent, answer lost: never blindly repeated. */
  | 'unknown';

/** Why a step ended. `code` and `message` are ours and may be shown; nothing of the platform's answer is kept. */
export class PlatformFailure extends Error {
  readonly kind: FailureKind;
  readonly code: string;
  readonly retryAfterMs: number | undefined;

  constructor(kind: FailureKind, code: string, message: string, retryAfterMs?: number) {
    super(message);
    this.name = 'PlatformFailure';
    this.kind = kind;
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}
