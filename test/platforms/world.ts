import assert from 'node:assert/strict';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import {
  type Draft,
  type FailureKind,
  type Network,
  PlatformFailure,
  type PlatformFetch,
  type Progress,
  type StepIo,
  type StepResult,
  type Tokens,
} from '../../src/platforms/contract.ts';
import { createPlatforms } from '../../src/platforms/index.ts';
import { youtube } from '../../src/platforms/youtube/index.ts';
import { createSandbox } from '../../src/sandbox/index.ts';

export const redirectUri = 'http://localhost:3000/api/v1/oauth/youtube/callback';
export const codeVerifier = 'v'.repeat(43);
export const unit = 256 * 1024;
export const signal = new AbortController().signal;
const sample = readFileSync(new URL('../../src/sandbox/assets/sample.mp4', import.meta.url));

export type Call = { method: string; url: URL; headers: Headers; init: NonNullable<Parameters<PlatformFetch>[1]> };
/** Stands between connector and network: may answer itself, throw, or change what goes through. */
export type Around = (call: Call, next: (init?: Call['init']) => Promise<Response>) => Promise<Response> | Response;

/** A playable video of exactly `bytes` bytes whose every part differs. */
export function videoOf(bytes: number): Buffer {
  const file = Buffer.alloc(bytes);
  for (let offset = 0; offset + 4 <= bytes; offset += 4) file.writeUInt32LE((offset * 2_654_435_761) >>> 0, offset);
  sample.copy(file);
  return file;
}

/** A PlatformFetch over a function that takes requests. */
function fetchOver(answer: Answer): PlatformFetch {
  return async (url, init = {}) => {
    const { body, ...rest } = init;
    if (body === undefined) return answer(new Request(url, rest));
    const whole = typeof body === 'string' || body instanceof Uint8Array;
    const stream = ReadableStream.from(whole ? [Buffer.from(body)] : body);
    return answer(new Request(url, { ...rest, body: stream, duplex: 'half' }));
  };
}

type Wire = { origin: string; fetch: PlatformFetch; serve: (answer: Answer) => void };
type Answer = (request: Request) => Response | Promise<Response>;

/** The YouTube connector on a sandbox network of its own: in this process, or behind a wire. */
export function createWorld(t: TestContext, wire?: Wire) {
  const origin = wire?.origin ?? 'http://127.0.0.1:3000';
  const dataDir = mkdtempSync(join(tmpdir(), 'pharlo-youtube-'));
  const clock = { now: Date.UTC(2030, 0, 1, 12) };
  const sandbox = createSandbox({
    origin,
    dataDir,
    now: () => clock.now,
    random: (bytes) => new Uint8Array(randomBytes(bytes)),
  });
  t.after(() => {
    sandbox.dispose();
    rmSync(dataDir, { recursive: true, force: true });
  });
  wire?.serve(sandbox.fetch);
  const direct = wire?.fetch ?? fetchOver(sandbox.fetch);
  const calls: string[] = [];
  const state: { around: Around | undefined } = { around: undefined };
  const platforms = createPlatforms({
    sandboxUrl: origin,
    settings: () => ({}),
    sandboxFetch: async (url, init = {}) => {
      const call = { method: init.method ?? 'GET', url: new URL(url), headers: new Headers(init.headers), init };
      const range = call.headers.get('Content-Range');
      calls.push(`${call.method} ${call.url.pathname}${range === null ? '' : ` ${range}`}`);
      const next = (changed = init) => direct(url, changed);
      return state.around ? state.around(call, next) : next();
    },
    realFetch: () => () => assert.fail('the sandbox is in use'),
  });
  const workspaceId = randomUUID();
  const network = platforms.networkFor(youtube, { workspaceId, sandbox: true });
  assert.ok(network);

  return {
    network,
    clock,
    calls,
    set around(around: Around | undefined) {
      state.around = around;
    },
    /** What the sandbox holds for this workspace. */
    async videos(): Promise<{ id: string; title: string; slug: string; bytes: number; sha256: string }[]> {
      const response = await direct(`${origin}/youtube/_videos?client_id=${network.clientId}`);
      return ((await response.json()) as { items: never[] }).items;
    },
    /** Allows `scopes` on the consent page; answers with the code and the page's address. */
    async consent(scopes: readonly string[] = ['youtube.upload', 'youtube.readonly']) {
      const codeChallenge = createHash('sha256').update(codeVerifier).digest('base64url');
      const url = youtube.oauth.authorizeUrl(network, { redirectUri, state: 'a&b', codeChallenge });
      const page = await (await direct(url)).text();
      const field = (name: string) => new RegExp(`name="${name}" value="([^"]+)"`).exec(page)?.[1] ?? '';
      const form = new URLSearchParams({
        request: field('request'),
        channel: field('channel'),
        decision: 'allow',
      });
      for (const scope of scopes) form.append('scope', `https://www.googleapis.com/auth/${scope}`);
      const answer = await direct(new URL(url).origin + new URL(url).pathname, {
        method: 'POST',
        headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
        body: form.toString(),
      });
      const back = new URL(answer.headers.get('Location') ?? 'x:').searchParams;
      return { url: new URL(url), code: back.get('code') ?? '', state: back.get('state') };
    },
    async connect(): Promise<{ tokens: Tokens; channelId: string }> {
      const { code } = await this.consent();
      const tokens = await youtube.oauth.exchange(network, { code, redirectUri, codeVerifier }, clock.now, signal);
      const [account] = await youtube.oauth.accounts(network, tokens, signal);
      return { tokens, channelId: account?.id ?? '' };
    },
  };
}
export type World = ReturnType<typeof createWorld>;

export type JobOptions = {
  file: Buffer;
  /** False for a source that does not tell its size. */
  tellsTotal?: boolean;
  type?: Draft['type'];
};

/** One assignment, worked on as a worker does: progress survives what breaks. */
export async function createJob(world: Pick<World, 'network' | 'clock' | 'connect'>, options: JobOptions) {
  const { tokens, channelId } = await world.connect();
  const media = { file: options.file, tellsTotal: options.tellsTotal ?? true, opened: [] as number[] };
  const draft: Draft = {
    assignmentId: randomUUID(),
    publicName: `pharlo-${randomUUID()}`,
    type: options.type ?? 'video',
    payload: {
      title: 'A title',
      description: '',
      privacy: 'private',
      tags: ['a', 'b c'],
      categoryId: '22',
      madeForKids: false,
      notifySubscribers: true,
    },
    accountId: channelId,
  };
  const job = {
    draft,
    media,
    progress: {} as Progress,
    reported: 0,
    accessToken: tokens.accessToken,
    io(given: AbortSignal = signal, network: Network = world.network): StepIo {
      return {
        network,
        accessToken: job.accessToken,
        signal: given,
        now: () => world.clock.now,
        async openMedia(_index, offset) {
          media.opened.push(offset);
          const { file, tellsTotal } = media;
          return {
            body: piecesOf(file.subarray(offset)),
            contentType: 'video/mp4',
            ...(tellsTotal && { total: file.byteLength }),
          };
        },
        async save(progress) {
          job.progress = JSON.parse(JSON.stringify(progress));
        },
        report(sent) {
          job.reported = sent;
        },
      };
    },
    async step(name: 'upload' | 'publish' | 'check' | 'find', given?: AbortSignal) {
      const work = youtube[name];
      assert.ok(work);
      const result = await work(draft, job.progress, job.io(given));
      if ('progress' in result) job.progress = JSON.parse(JSON.stringify(result.progress));
      return result;
    },
    /** Upload and publish; answers with the id of the video. */
    async post(): Promise<string> {
      assert.equal((await job.step('upload')).state, 'ready');
      return postIdOf(await job.step('publish'));
    },
  };
  return job;
}
export type Job = Awaited<ReturnType<typeof createJob>>;

export function postIdOf(result: StepResult | { state: string }): string {
  assert.equal(result.state, 'uploaded');
  assert.ok('postId' in result && result.postId !== undefined);
  return result.postId;
}

async function* piecesOf(bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes.byteLength; offset += 65_000) yield bytes.subarray(offset, offset + 65_000);
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** For assert.rejects: a failure of this kind and code. */
export function failing(kind: FailureKind, code: string) {
  return (error: unknown) => {
    assert.ok(error instanceof PlatformFailure, String(error));
    assert.deepEqual({ kind: error.kind, code: error.code }, { kind, code });
    return true;
  };
}

export function googleError(
  status: number,
  reason: string,
  message = 'upstream words',
  headers: Record<string, string> = {},
) {
  const error = { code: status, message, errors: [{ message, domain: 'global', reason }] };
  return Response.json({ error }, { status, headers });
}
