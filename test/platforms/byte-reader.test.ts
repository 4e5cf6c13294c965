import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { ByteReader } from '../../src/platforms/byte-reader.ts';
import { PlatformFailure } from '../../src/platforms/contract.ts';
import { failing, signal } from './world.ts';

function source(parts: string[], error?: unknown) {
  const seen = { read: 0, closed: false };
  async function* read(): AsyncGenerator<Uint8Array> {
    try {
      for (const part of parts) {
        seen.read++;
        yield Buffer.from(part);
      }
      if (error !== undefined) throw error;
    } finally {
      seen.closed = true;
    }
  }
  return { body: read(), seen };
}

async function text(pieces: AsyncIterable<Uint8Array>): Promise<string> {
  return Buffer.concat(await Array.fromAsync(pieces)).toString();
}

test('pieces are cut where asked, whatever the source gives', async () => {
  using reader = new ByteReader(source(['abc', '', 'defgh', 'i']).body, signal);
  assert.equal(await text(reader.take(2)), 'ab');
  assert.equal(await text(reader.take(0)), '');
  assert.equal(await reader.leftWithin(6), undefined);
  assert.equal(await reader.leftWithin(7), 7);
  assert.equal(await text(reader.take(5)), 'cdefg');
  assert.equal(await text(reader.take(2)), 'hi');
  assert.equal(await reader.leftWithin(0), 0);
});

test('looking ahead reads no more than it must', async () => {
  const { body, seen } = source(['aa', 'bb', 'cc', 'dd']);
  using reader = new ByteReader(body, signal);
  assert.equal(await reader.leftWithin(3), undefined);
  assert.equal(seen.read, 2);
});

test('a short or broken source is a retry, its own failure stays its own', async () => {
  using short = new ByteReader(source(['abc']).body, signal);
  await assert.rejects(text(short.take(4)), failing('retry', 'media_interrupted'));
  using broken = new ByteReader(source(['abc'], new Error('reset')).body, signal);
  await assert.rejects(text(broken.take(4)), failing('retry', 'media_interrupted'));
  const own = new PlatformFailure('rejected', 'media_gone', 'Gone.');
  using gone = new ByteReader(source(['abc'], own).body, signal);
  await assert.rejects(text(gone.take(4)), own);
  assert.equal(gone.failure, own);
});

test('a source is closed though nothing of it was read', async () => {
  for (const length of [0, 1]) {
    const { body, seen } = source(['abc', 'def']);
    {
      using reader = new ByteReader(body, signal);
      await text(reader.take(length));
    }
    await setImmediate();
    assert.equal(seen.closed, true);
  }
});
