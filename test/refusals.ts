import assert from 'node:assert/strict';
import type { Harness, RestAnswer } from './harness.ts';

type Count = Record<string, unknown>;

/** Everything a call could have written or spent. */
export async function footprint(pharlo: Harness): Promise<Count> {
  const [row] = await pharlo.app.deps.db.query<Count>({
    text: `select (select count(*) from assignments) as assignments, (select count(*) from assignment_events) as events,
             (select count(*) from connections) as connections, (select count(*) from connect_tickets) as tickets,
             (select count(*) from ledger) as ledger, (select count(*) from audit) as audit,
             (select sum(allocation_left + topup_left) from workspaces)::bigint as credits`,
    values: [],
  });
  return row ?? {};
}

export async function ledgerCount(pharlo: Harness): Promise<number> {
  return Number((await footprint(pharlo)).ledger);
}

/** Texts that would tell of our insides or of somebody else's answer. */
const leaks =
  /\bat \S+ \(|\.ts:\d|node_modules|node:internal|\bselect\b.*\bfrom\b|\binsert into\b|\bECONN|\bENOTFOUND|SQLSTATE|unexpected token|upstream|undici|\bzod\b|postgres/i;

export function assertNoLeak(text: string): void {
  assert.doesNotMatch(text, leaks);
}

export type Refusal = { status: number; code: string; field?: string | undefined };

type ErrorBody = { code: string; message: string; details?: Record<string, string[]> };

export const errorOf = (answer: { body: Record<string, unknown> }) => answer.body.error as ErrorBody;

/** A call that must be refused and must leave no trace; `field` is the member the details must name. */
export async function refusal(
  pharlo: Harness,
  expected: Refusal,
  call: () => Promise<RestAnswer>,
): Promise<RestAnswer> {
  const before = await footprint(pharlo);
  const answer = await call();
  const seen = JSON.stringify(answer.body);
  assert.equal(answer.status, expected.status, seen);
  assert.equal(errorOf(answer)?.code, expected.code, seen);
  assert.equal(typeof errorOf(answer).message, 'string');
  if (expected.field !== undefined) {
    const messages = Object.entries(errorOf(answer).details ?? {}).find(([name]) => name === expected.field)?.[1];
    assert.ok(messages && messages.length > 0, `${expected.field} is not named in ${seen}`);
    for (const message of messages) assert.equal(typeof message, 'string');
  }
  assertNoLeak(seen);
  assert.equal(answer.headers.get('x-credits-used'), null);
  assert.deepEqual(await footprint(pharlo), before, 'a refused call left a trace');
  return answer;
}

export async function assertRefused(...given: Parameters<typeof refusal>): Promise<void> {
  await refusal(...given);
}
