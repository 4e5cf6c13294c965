import assert from 'node:assert/strict';
import { test } from 'node:test';
import { flowing } from '../../src/domain/floor-rate.ts';

/** Reads 100 parts; each takes `sourceMs` to come and `readerMs` to be dealt with. */
async function read(partBytes: number, sourceMs: number, readerMs: number): Promise<number> {
  let now = 0;
  async function* source() {
    for (let part = 0; part < 100; part++) {
      now += sourceMs;
      yield new Uint8Array(partBytes);
    }
  }
  let parts = 0;
  for await (const part of flowing(source(), () => now)) {
    assert.equal(part.length, partBytes);
    parts++;
    now += readerMs;
  }
  return parts;
}

test('a source that gives too little over a minute is ended', async () => {
  await assert.rejects(read(4000, 1000, 0), /too slow/);
  await assert.rejects(read(1, 30_000, 0), /too slow/);
});

test('a source that gives enough goes on, in bursts too, however slow its reader is', async () => {
  assert.equal(await read(4200, 1000, 0), 100);
  assert.equal(await read(400_000, 61_000, 0), 100);
  assert.equal(await read(10, 1, 600_000), 100);
});
