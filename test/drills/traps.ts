import type { Dice } from './dice.ts';
import type { Load } from './load.ts';
import { type Answer, type PlatformCall, refusal } from './relay.ts';
import { ownerOf, type Replica } from './replica.ts';
import type { Scene } from './scene.ts';

/** Where in the work of a job the process is killed; all of them are about the call that makes the post. */
export const points = ['intent committed', 'bytes sent', 'answer received', 'before commit'] as const;

export type Moment = (typeof points)[number] | 'at random' | 'while starting';

export type Kill = { moment: Moment; at: number };

type Trap = { moment: Moment; eventsLeft: number; sprung: PromiseWithResolvers<Replica> };

export type Traps = {
  kills: Kill[];
  /** Something happened somewhere. */
  event(): void;
  /** Kills a replica at that moment; answers which it was. */
  set(moment: Moment): Promise<Replica>;
  around(call: PlatformCall, forward: () => Promise<Answer>): Promise<Answer | 'hang up'>;
  /** How often what was tried: cancels beside the call that makes the post, cancels in an upload, faults of the platform. */
  tried: { lateCancels: number; fencedUploads: number; faults: number };
  /** Assignments that were hit in the call that makes the post. */
  hit: Set<string>;
  /** The platform's calls about an assignment, and what became of them. */
  stories: Map<string, string[]>;
  /** From now on nothing is killed and the platform does not fail. */
  disarm(): void;
  kill(replica: Replica, moment: Moment): Promise<void>;
};

/** How likely something goes wrong with one call of the platform, and somebody cancels in the middle of it. */
const faultRate = 0.04;
const cancelRate = 0.12;

export function setTraps(dice: Dice, scene: () => Scene, load: () => Load): Traps {
  let trap: Trap | undefined;
  let armed = true;
  let turn = 0;
  const kills: Kill[] = [];
  const tried = { lateCancels: 0, fencedUploads: 0, faults: 0 };
  const hit = new Set<string>();
  const stories = new Map<string, string[]>();
  const note = ({ kind, assignmentId = '' }: PlatformCall, what: string) => {
    stories.set(assignmentId, [...(stories.get(assignmentId) ?? []), `${kind}: ${what}`]);
  };

  async function kill(replica: Replica, moment: Moment): Promise<void> {
    kills.push({ moment, at: performance.now() });
    await replica.end('SIGKILL');
  }

  /** Kills the process at the other end of the call; without a call, one after the other. */
  async function spring(sprung: Trap, fromPort?: number): Promise<void> {
    const { replicas } = scene();
    const up = replicas.filter((replica) => replica.isUp());
    const owner =
      fromPort === undefined || up.length === 1
        ? undefined
        : ownerOf(
            fromPort,
            up.map((one) => one.pid() ?? 0),
          );
    turn += 1;
    const replica = up.find((one) => one.pid() === owner) ?? up[turn % up.length];
    if (!replica) return;
    await kill(replica, sprung.moment);
    sprung.sprung.resolve(replica);
  }

  async function atPoint(
    sprung: Trap,
    call: PlatformCall,
    forward: () => Promise<Answer>,
  ): Promise<Answer | 'hang up'> {
    const { fromPort, assignmentId = '' } = call;
    hit.add(assignmentId);
    note(call, `killed, ${sprung.moment}`);
    if (sprung.moment === 'intent committed') {
      await spring(sprung, fromPort);
      return 'hang up';
    }
    if (sprung.moment === 'before commit') {
      // Whoever holds the row keeps its outcome from being written.
      const held = await scene().eyes.hold(assignmentId);
      const answer = await forward();
      const killed = held.blocked().then(() => spring(sprung, fromPort));
      killed.finally(() => held[Symbol.asyncDispose]()).catch(sprung.sprung.reject);
      return answer;
    }
    const answer = await forward();
    if (sprung.moment === 'answer received') return { ...answer, left: () => void spring(sprung, fromPort) };
    await spring(sprung, fromPort);
    return 'hang up';
  }

  /** A cancel beside a call. What it does to an upload is seen when the platform then fails. */
  async function cancelMeanwhile({ kind, assignmentId }: PlatformCall): Promise<Answer | undefined> {
    const post = load().byId(assignmentId);
    if (!post || (kind !== 'last piece' && kind !== 'piece')) return undefined;
    const isFirst = kind === 'piece' ? tried.fencedUploads === 0 : tried.lateCancels === 0;
    if (!isFirst && !dice.chance(cancelRate)) return undefined;
    const cancelled = await load().cancel(post);
    if (kind === 'last piece' && cancelled !== undefined && cancelled !== 'unknown') tried.lateCancels += 1;
    if (kind !== 'piece' || typeof cancelled !== 'object') return undefined;
    tried.fencedUploads += 1;
    return refusal(503);
  }

  return {
    kills,
    tried,
    hit,
    stories,
    kill,
    event() {
      if (trap?.moment !== 'at random') return;
      trap.eventsLeft -= 1;
      if (trap.eventsLeft > 0) return;
      const sprung = trap;
      trap = undefined;
      void spring(sprung);
    },
    set(moment) {
      // Some follow each other at once: claims that never come back add up.
      const eventsLeft = 1 + dice.below(dice.chance(0.3) ? 6 : 60);
      trap = { moment, eventsLeft, sprung: Promise.withResolvers() };
      return trap.sprung.promise;
    },
    async around(call, forwardCall) {
      const forward = async () => {
        const answer = await forwardCall();
        note(call, String(answer.status));
        return answer;
      };
      if (trap && call.kind === 'last piece' && trap.moment !== 'at random') {
        const sprung = trap;
        trap = undefined;
        return atPoint(sprung, call, forward);
      }
      const fenced = await cancelMeanwhile(call);
      if (fenced) {
        note(call, 'refused, cancelled meanwhile');
        return fenced;
      }
      if (!armed || !dice.chance(faultRate)) return forward();
      tried.faults += 1;
      note(call, 'fault');
      if (dice.chance(0.3)) return refusal(503);
      if (dice.chance(0.5)) await forward();
      return 'hang up';
    },
    disarm() {
      armed = false;
      trap = undefined;
    },
  };
}
