/** A source must give at least this, bytes per second, over a minute of waiting for it. */
const floorBytes = 4096;
const floorMs = 60_000;

/**
 * Passes a source on and ends it with an error when it drips: it would hold a slot for days. Only time spent waiting for
 * the source counts, so that a slow reader is not taken for one. `clock` is monotonic, ms.
 */
export async function* flowing(body: AsyncIterable<Uint8Array>, clock: () => number): AsyncGenerator<Uint8Array> {
  let waitedMs = 0;
  let bytes = 0;
  let askedAt = clock();
  for await (const part of body) {
    waitedMs += clock() - askedAt;
    bytes += part.length;
    if (waitedMs > floorMs) {
      if (bytes < (floorBytes * waitedMs) / 1000) throw new Error('The source is too slow.');
      waitedMs = 0;
      bytes = 0;
    }
    yield part;
    askedAt = clock();
  }
}
