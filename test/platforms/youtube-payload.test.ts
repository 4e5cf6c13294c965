import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { countTags, payload } from '../../src/platforms/youtube/payload.ts';

const accepts = (fields: object) => payload.safeParse({ title: 'A title', ...fields }).success;

test('only the title is required; a video is private unless said otherwise', () => {
  assert.deepEqual(payload.parse({ title: 'A title' }), {
    title: 'A title',
    description: '',
    privacy: 'private',
    tags: [],
    categoryId: '22',
    madeForKids: false,
    notifySubscribers: true,
  });
});

test('limits are those of YouTube', () => {
  assert.ok(accepts({ title: '🎬'.repeat(100) }));
  assert.ok(accepts({ description: 'ä'.repeat(2500) }));
  assert.ok(accepts({ tags: ['a'.repeat(247), `${'b'.repeat(125)} ${'c'.repeat(124)}`] }));
  const refused: object[] = [
    { title: '' },
    { title: '  ' },
    { title: 'x'.repeat(101) },
    { title: '<b>' },
    { description: 'ä'.repeat(2501) },
    { description: 'a > b' },
    { tags: ['a'.repeat(248), `${'b'.repeat(125)} ${'c'.repeat(124)}`] },
    { tags: [''] },
    { tags: ['<'] },
    { categoryId: 22 },
    { categoryId: 'music' },
    { privacy: 'friends' },
    { publishAt: '2030-01-01T00:00:00Z' },
  ];
  for (const fields of refused) assert.ok(!accepts(fields), JSON.stringify(fields));
});

test('tags are counted with commas and quotes', () => {
  assert.equal(countTags([]), 0);
  assert.equal(countTags(['ab']), 2);
  assert.equal(countTags(['ab', 'c d', '🎬']), 2 + 1 + 5 + 1 + 1);
});

test('the JSON Schema explains every field and carries the limits', () => {
  const schema = z.toJSONSchema(payload, { io: 'input' });
  const properties = schema.properties as Record<string, Record<string, unknown>>;
  assert.deepEqual(schema.required, ['title']);
  assert.equal(schema.additionalProperties, false);
  for (const [name, property] of Object.entries(properties)) assert.ok(property.description, name);
  const { title, description, privacy, categoryId } = properties;
  assert.deepEqual([title?.minLength, title?.maxLength, title?.pattern], [1, 100, '^[^<>]*$']);
  assert.deepEqual([description?.maxLength, description?.default], [5000, '']);
  assert.deepEqual([privacy?.enum, privacy?.default], [['public', 'unlisted', 'private'], 'private']);
  assert.deepEqual([categoryId?.pattern, categoryId?.default], ['^\\d{1,4}$', '22']);
});
