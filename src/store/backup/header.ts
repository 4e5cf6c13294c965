import { z } from 'zod';

/** Raised when an older Pharlo could no longer read what is written. */
export const backupFormat = 1;

const schema = z.object({
  format: z.number().int().min(1),
  /** Version of the Pharlo that wrote it. */
  pharlo: z.string().max(40),
  /** ISO 8601, by the clock of the process. */
  takenAt: z.string().max(40),
  /** Names of the migrations that had made the schema, in order. */
  migrations: z.array(z.string().max(100)).max(10_000),
  /** `takenAt`, sealed with the key that opens what the backup holds; base64. */
  sealed: z.string().max(1000),
  /** That key, base64; only where the operator asked for it. */
  secretKey: z.string().max(100).optional(),
});

export type BackupHeader = z.infer<typeof schema>;

/** What `sealed` is sealed for. */
export const sealedFor = 'backup';

const word = 'pharlo-backup ';

/** Undefined when the line is no header. Of a newer format only the first two fields are looked at. */
export function parseHeader(line: string): BackupHeader | undefined {
  if (!line.startsWith(word)) return undefined;
  try {
    const value: unknown = JSON.parse(line.slice(word.length));
    const newer = schema.pick({ format: true, pharlo: true }).safeParse(value);
    if (newer.success && newer.data.format > backupFormat) {
      return { takenAt: '', migrations: [], sealed: '', ...newer.data };
    }
    return schema.safeParse(value).data;
  } catch {
    return undefined;
  }
}
