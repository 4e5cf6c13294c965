import { createTestDatabase } from '../database.ts';
import { type Report, runDrill } from './drill.ts';

/** A few kills on a database whose clock can be moved: nothing is waited for. */
export async function runShortDrill(seed: number): Promise<Report> {
  await using database = await createTestDatabase();
  let offset = 0;
  const advance = async (ms: number) => {
    offset += ms;
    await database.setClockOffset(offset);
  };
  return await runDrill({
    seed,
    store: { databaseUrl: database.url, databaseDirectUrl: database.ownerUrl, advance },
    replicas: 1,
    mediaBytes: 400_000,
    processingMs: 0,
    kills: { random: 3, perPoint: 1 },
    lanes: 3,
    actsPerKill: 6,
    tell: () => {},
  });
}
