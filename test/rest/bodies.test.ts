import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Harness, type RestAnswer, startHarness } from '../harness.ts';
import { assertRefused } from '../refusals.ts';

type Body = string | Uint8Array<ArrayBuffer> | ReadableStream;

async function send(
  pharlo: Harness,
  body: Body | undefined,
  headers: Record<string, string> = { 'content-type': 'application/json' },
  path = '/assignments',
): Promise<RestAnswer> {
  const response = await fetch(`${pharlo.url}/api/v1${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${pharlo.key}`, ...headers },
    ...(body !== undefined && { body, duplex: 'half' }),
  });
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Record<string, unknown>,
  };
}

const json = { 'content-type': 'application/json' };

test('bodies that are no JSON object of at most 1 MiB are refused', async (t) => {
  await using pharlo = await startHarness();
  const malformed = { status: 400, code: 'malformed_json' };
  const bad: [string, Body][] = [
    ['cut off', '{"connectionId":'],
    ['single quotes', "{'a':1}"],
    ['a trailing comma', '{"a":1,}'],
    ['words', 'hello'],
    ['bytes that are no UTF-8', new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d])],
    ['only blanks', '  '],
  ];
  for (const [name, body] of bad) {
    await t.test(name, () => assertRefused(pharlo, malformed, () => send(pharlo, body)));
  }

  for (const body of ['[]', 'null', '"text"', '5', 'true']) {
    await t.test(`JSON that is no object: ${body}`, () =>
      assertRefused(pharlo, { status: 400, code: 'validation_failed', field: 'body' }, () => send(pharlo, body)),
    );
  }

  for (const type of [
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/jsonp',
    'multipart/form-data',
    '',
  ]) {
    await t.test(`content type "${type}"`, () =>
      assertRefused(pharlo, { status: 415, code: 'unsupported_content_type' }, () =>
        send(pharlo, new TextEncoder().encode('{"platform":"youtube"}'), type ? { 'content-type': type } : {}),
      ),
    );
  }

  await t.test('the content type may carry a parameter and capitals', async () => {
    const headers = { 'content-type': 'Application/JSON; charset=utf-8' };
    const { status } = await send(pharlo, '{"platform":"youtube"}', headers, '/oauth/tickets');
    assert.equal(status, 201);
  });

  await t.test('no body is an empty object', () =>
    assertRefused(pharlo, { status: 400, code: 'validation_failed', field: 'connectionId' }, () =>
      send(pharlo, undefined, json),
    ),
  );

  const tooLarge = { status: 413, code: 'body_too_large' };
  await t.test('over 1 MiB, declared', () =>
    assertRefused(pharlo, tooLarge, () => send(pharlo, `{"a":"${'x'.repeat(1024 * 1024)}"}`)),
  );
  await t.test('over 1 MiB, in chunks of unknown length', () =>
    assertRefused(pharlo, tooLarge, () =>
      send(pharlo, ReadableStream.from(Array.from({ length: 20 }, () => Buffer.alloc(64 * 1024, 'x')))),
    ),
  );
  await t.test('1 MiB exactly is read', () =>
    assertRefused(pharlo, { status: 400, code: 'validation_failed', field: 'a' }, () =>
      send(pharlo, `{"a":"${'x'.repeat(1024 * 1024 - 8)}"}`),
    ),
  );

  await t.test('a hundred thousand brackets', () =>
    assertRefused(pharlo, { status: 400, code: 'validation_failed', field: 'a' }, () =>
      send(pharlo, `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`),
    ),
  );

  await t.test('query parameters beside a body', () =>
    assertRefused(pharlo, { status: 400, code: 'validation_failed', field: 'platform' }, () =>
      send(pharlo, '{"platform":"youtube"}', json, '/oauth/tickets?platform=youtube'),
    ),
  );

  await t.test('a path parameter told again in the body', () =>
    assertRefused(pharlo, { status: 400, code: 'validation_failed', field: 'connectionId' }, () =>
      send(pharlo, '{"connectionId":"x"}', json, '/connections/01900000-0000-7000-8000-000000000000/refresh-token'),
    ),
  );
});
