import type { World } from '../../src/app.ts';
import type { Engine } from '../../src/jobs/engine.ts';
import { Person } from '../connect/person.ts';
import { type Harness, startHarness } from '../harness.ts';
import { type MediaServer, serveMedia } from './media-server.ts';
import { type Platform, startPlatform } from './platform.ts';

export type Assignment = {
  id: string;
  status: string;
  attempts: number;
  waiting?: { reason: string; until: string };
  errors: { code: string; message: string; retryable: boolean }[];
  progress?: { bytesSent: number; bytesTotal?: number };
  platformPostId?: string;
  timeline: { status: string; at: string; detail?: string }[];
};

/** Pharlo with a connected channel, a platform and a media server, all of them at the test's will. */
export type Rig = AsyncDisposable & {
  pharlo: Harness;
  platform: Platform;
  media: MediaServer;
  connectionId: string;
  /** Makes an assignment of the media file, for now unless told otherwise. */
  create(input?: Record<string, unknown>): Promise<Assignment>;
  get(id: string): Promise<Assignment>;
  /** Asks again and again until it is so. */
  until(id: string, isSo: (assignment: Assignment) => boolean): Promise<Assignment>;
  /** Moves every clock and wakes the worker. */
  advance(ms: number): Promise<void>;
  /** Starts a worker; it is stopped at the end. */
  work(): Promise<Engine>;
  videos(): ReturnType<Platform['videos']>;
  /** Hundredths of a credit the assignment has cost so far, refunds counted. */
  cost(id: string): Promise<number>;
};

const breath = () => new Promise<void>((done) => setImmediate(done));

/** Asks until it is true; the event loop, not a wait, sets the pace. */
export async function eventually(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await breath();
}

export const ended = ({ status }: Assignment) => ['published', 'failed', 'cancelled'].includes(status);
export const waitsFor = (reason: string) => (assignment: Assignment) => assignment.waiting?.reason === reason;

type RigOptions = {
  work?: boolean;
  mediaBytes?: number;
  processingMs?: number;
  environment?: Record<string, string>;
  world?: Partial<World>;
};

export async function startRig(options: RigOptions = {}): Promise<Rig> {
  const { work: works = true, mediaBytes = 1024 * 1024, processingMs = 0, environment = {}, world } = options;
  const stack = new AsyncDisposableStack();
  const media = stack.use(await serveMedia(mediaBytes));
  const platform = stack.use(await startPlatform({ processingMs }));
  const pharlo = stack.use(
    await startHarness({
      environment: {
        PHARLO_SANDBOX_URL: platform.origin,
        PHARLO_ALLOWED_PRIVATE_HOSTS: media.host,
        ...environment,
      },
      ...(world && { world }),
    }),
  );
  platform.now = pharlo.app.deps.now;
  const connectionId = await connectChannel(pharlo);
  const disposables = stack.move();
  const work = async () => {
    const engine = await pharlo.app.work();
    disposables.defer(async () => {
      media.open();
      platform.around = undefined;
      await engine.stop();
    });
    return engine;
  };
  if (works) await work();
  const get = async (id: string) => (await pharlo.rest('GET', `/assignments/${id}`)).body as Assignment;
  return {
    pharlo,
    platform,
    media,
    connectionId,
    get,
    async create(input = {}) {
      const { status, body } = await pharlo.rest('POST', '/assignments', {
        connectionId,
        type: 'video',
        payload: { title: 'A video' },
        mediaUrl: media.url,
        ...input,
      });
      if (status !== 201) throw new Error(`Not created: ${JSON.stringify(body)}`);
      return body as Assignment;
    },
    async until(id, isSo) {
      for (;;) {
        const assignment = await get(id);
        if (isSo(assignment)) return assignment;
        if (ended(assignment)) throw new Error(`It ended instead: ${JSON.stringify(assignment)}`);
        await breath();
      }
    },
    async advance(ms) {
      await pharlo.advance(ms);
      pharlo.app.deps.nudge('publish');
      pharlo.app.deps.nudge('refresh-tokens');
    },
    work,
    async cost(id) {
      const { db } = pharlo.app.deps;
      const text = 'select coalesce(-sum(amount), 0)::int as cost from ledger where assignment_id = $1';
      return (await db.query<{ cost: number }>({ text, values: [id] }))[0]?.cost ?? 0;
    },
    videos: () => platform.videos(pharlo.workspaceId),
    [Symbol.asyncDispose]: () => disposables.disposeAsync(),
  };
}

/** Connects a sandbox channel as a person would; answers the connection's id. */
export async function connectChannel(pharlo: Pick<Harness, 'rest'>, channel = 0): Promise<string> {
  const ticket = await pharlo.rest('POST', '/oauth/tickets', { platform: 'youtube' });
  const answer = await new Person().connect(String(ticket.body.url), { channel });
  const { body } = await pharlo.rest('GET', `/oauth/tickets/${ticket.body.ticketId}`);
  const [id] = body.connectionIds as string[];
  if (!answer.ok || id === undefined) throw new Error(`Not connected: ${JSON.stringify(body)}`);
  return id;
}
