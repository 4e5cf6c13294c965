/** A fault the drill has to find. */
export type Mutant = {
  name: string;
  edits: readonly {
    /** Below src. */
    file: string;
    /** Occurs once in the file. */
    find: string;
    replace: string;
  }[];
};

export const mutants: readonly Mutant[] = [
  {
    name: 'no intent is committed before the call that makes the post',
    edits: [
      {
        file: 'jobs/publish.ts',
        find: 'await commitIntent(deps.db, row, sealMemory(deps, row, memory), onceStepSeconds)',
        replace: 'await saveProgress(deps.db, row, sealMemory(deps, row, memory), { moved: true, sent: {} })',
      },
    ],
  },
  {
    name: 'nobody looks for the post: it is taken to be absent',
    edits: [
      {
        file: 'jobs/publish.ts',
        find: 'const found = await connector.find(draft, memory.step, ioOf(work, channel, passing));',
        replace: "const found = { state: 'absent', progress: memory.step } as const;",
      },
    ],
  },
  {
    name: 'fencing tokens are ignored when a step ends',
    edits: [
      {
        file: 'store/publish-jobs.ts',
        find: `bytes_total = coalesce($13, bytes_total), updated_at = pharlo_now()
   where id = $1 and lease_token = $2`,
        replace: `bytes_total = coalesce($13, bytes_total), updated_at = pharlo_now()
   where id = $1 and $2::uuid is not null`,
      },
    ],
  },
];

/** The text with the edit in it. Throws unless the place is there exactly once. */
export function planted(text: string, { file, find, replace }: Mutant['edits'][number]): string {
  if (text.split(find).length !== 2) throw new Error(`"${find.slice(0, 40)}…" is not in ${file} exactly once.`);
  return text.replace(find, () => replace);
}
