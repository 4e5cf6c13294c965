import type { Queryable } from '../db.ts';

/** Numbers of assignments that had not ended when the backup was made. */
export type Doubts = {
  /** Their post may have been made since, so they are looked for, never made. */
  inDoubt: number;
  /** Due more than a day ago: the engine ends them as `schedule_missed`. */
  missed: number;
  /** Made due now because the operator said so. */
  publishedNow: number;
};

const unmade = `status in ('pending', 'uploading', 'processing') and platform_post_id is null`;

/**
 * A backup does not know what was posted after it. What was due by now, or had been begun, is given an open intent and
 * the mark `restored`: the engine looks for the post, and where it finds none the job ends as `outcome_unknown`. With
 * `publishOverdue` the operator says that nothing was posted since: all that is overdue is due now, and an intent of
 * before is looked for as after any crash.
 */
export async function settleDoubts(on: Queryable, { publishOverdue }: { publishOverdue: boolean }): Promise<Doubts> {
  const change = async (set: string, where: string) => {
    const text = `update assignments set ${set} where ${unmade} and ${where} returning id`;
    return (await on.query({ text, values: [] })).length;
  };
  if (publishOverdue) {
    const publishedNow = await change('due_at = pharlo_now()', 'intent_deadline is null and due_at < pharlo_now()');
    return { inDoubt: 0, missed: 0, publishedNow };
  }
  const inDoubt = await change(
    `restored = true, intent_deadline = coalesce(intent_deadline, pharlo_now() - interval '5 seconds')`,
    `(intent_deadline is not null
      or due_at > pharlo_now() - interval '24 hours' and (status <> 'pending' or due_at <= pharlo_now()))`,
  );
  const [missed] = await on.query<{ count: number }>({
    text: `select count(*)::int as count from assignments
           where ${unmade} and intent_deadline is null and due_at < pharlo_now() - interval '24 hours'`,
    values: [],
  });
  return { inDoubt, missed: missed?.count ?? 0, publishedNow: 0 };
}
