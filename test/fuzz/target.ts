import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { env } from 'node:process';
import type { Questions } from './world.ts';

/** The server's process, as the one who fires sees it. */
export type Target = AsyncDisposable & {
  /** One question at a time. */
  ask<Question extends keyof Questions>(question: Question): Promise<Questions[Question]>;
  /** Resolves when the process ends by itself. */
  ended: Promise<unknown>;
};

type Message = { question: string; answer?: unknown; failure?: string };

/** Starts the server; test/run.ts or scripts/fuzz.ts must have told the environment which database to clone. */
export async function startTarget(): Promise<Target> {
  const child = fork(join(import.meta.dirname, 'child.ts'), [], {
    execArgv: ['--expose-gc'],
    env: { ...env, NODE_OPTIONS: '' },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const ended = once(child, 'exit');
  const next = async (question: string): Promise<unknown> => {
    const said = await Promise.race([once(child, 'message'), ended.then(() => undefined)]);
    const message = said?.[0] as Message | undefined;
    if (!message) throw new Error('The server has ended.');
    if (message.question !== question || message.failure !== undefined) throw new Error(JSON.stringify(message));
    return message.answer;
  };
  await next('ready');
  return {
    ended,
    async ask<Question extends keyof Questions>(question: Question) {
      const answer = next(question);
      child.send(question);
      return (await answer) as Questions[Question];
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) {
        child.disconnect();
        await ended;
      }
    },
  };
}
