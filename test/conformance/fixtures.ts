import { z } from 'zod';
import { DomainError } from '../../src/domain/errors.ts';
import type { Operation } from '../../src/operation.ts';
import type { Catalog } from '../../src/surfaces/catalog.ts';
import { askingPrompts, askingTools } from './asking-fixtures.ts';
import { fixture } from './fixture.ts';

/** A 1 × 1 PNG. */
const png = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

/** A WAV file without a sample. */
const wav = Buffer.from(
  '524946462400000057415645666d742010000000010001004026000080b0010002001000646174610000000000',
  'hex',
);

const image = { type: 'image' as const, data: png, mimeType: 'image/png' };
const audio = { type: 'audio' as const, data: wav.toString('base64'), mimeType: 'audio/wav' };
const embedded = (uri: string, mimeType: string, text: string) => ({
  type: 'resource' as const,
  resource: { uri, mimeType, text },
});

const nothing = z.strictObject({});

const address = {
  $anchor: 'addressDef',
  type: 'object',
  properties: { street: { type: 'string' }, city: { type: 'string' } },
};
const text = { type: 'string' };

/** The words of JSON Schema 2020-12 that the tool looks for; zod has none of its own for them. */
const manyWords = z
  .strictObject({ name: z.string().optional(), phone: z.string().optional(), email: z.string().optional() })
  .meta({
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $defs: { address },
    properties: {
      name: text,
      address: { $ref: '#/$defs/address' },
      contactMethod: { type: 'string', enum: ['phone', 'email'] },
      phone: text,
      email: text,
    },
    allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
    if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
    // biome-ignore lint/suspicious/noThenProperty: a word of JSON Schema.
    then: { required: ['phone'] },
    else: { required: ['email'] },
  });

const tools: Operation[] = [
  fixture('test_simple_text', nothing, () => 'This is a simple text response for testing.'),
  fixture('test_image_content', nothing, () => 'A picture.', { content: () => [image] }),
  fixture('test_audio_content', nothing, () => 'A sound.', { content: () => [audio] }),
  fixture('test_embedded_resource', nothing, () => 'A resource.', {
    content: () => [embedded('test://embedded-resource', 'text/plain', 'This is an embedded resource content.')],
  }),
  fixture('test_multiple_content_types', nothing, () => 'Multiple content types test:', {
    content: () => [
      image,
      embedded('test://mixed-content-resource', 'application/json', '{"test":"data","value":123}'),
    ],
  }),
  fixture('test_error_handling', nothing, () => {
    throw new DomainError('invalid_state', 'This tool intentionally returns an error for testing.');
  }),
  {
    ...fixture('test_tool_with_progress', nothing, () => ''),
    kind: 'read',
    async handle(_input, { progress }) {
      for (const done of [0, 50, 100]) await progress({ done, total: 100, message: `${done} %` });
      return { text: 'Done.' };
    },
  },
  fixture('test_logging_tool', nothing, () => 'Nothing is logged to clients.'),
  fixture('json_schema_2020_12_tool', manyWords, () => 'Done.'),
];

const staticText = fixture('read_static_text', nothing, () => 'This is the content of the static text resource.');
const fromTemplate = fixture('read_template', z.strictObject({ id: z.string() }), ({ id }) => `Data for ID: ${id}`);
const textOf = (output: unknown) => ({ text: (output as { text: string }).text });

/** What the conformance tool expects beside the product: values of the same kinds as the product's own. */
export const fixtures: Catalog = {
  operations: [...tools, ...askingTools],
  resources: [
    {
      uri: 'test://static-text',
      name: 'static-text',
      title: 'Text',
      mimeType: 'text/plain',
      op: staticText,
      input: () => ({}),
      contents: textOf,
    },
    {
      uri: 'test://static-binary',
      name: 'static-binary',
      title: 'Picture',
      mimeType: 'image/png',
      op: staticText,
      input: () => ({}),
      contents: () => ({ blob: png }),
    },
    {
      uri: 'test://template/{id}/data',
      name: 'template',
      title: 'Data',
      mimeType: 'application/json',
      op: fromTemplate,
      input: ({ id }) => ({ id }),
    },
  ],
  prompts: [
    {
      name: 'test_simple_prompt',
      title: 'Simple',
      description: 'No arguments.',
      scopes: [],
      arguments: [],
      text: () => 'This is a simple prompt for testing.',
    },
    {
      name: 'test_prompt_with_arguments',
      title: 'Arguments',
      description: 'Two arguments.',
      scopes: [],
      arguments: ['arg1', 'arg2'].map((name) => ({ name, description: 'An argument.', required: true })),
      text: ({ arg1, arg2 }) => `Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`,
    },
    {
      name: 'test_prompt_with_embedded_resource',
      title: 'Resource',
      description: 'A resource and a sentence.',
      scopes: [],
      arguments: [{ name: 'resourceUri', description: 'URI of the resource.', required: true }],
      content: ({ resourceUri = '' }) => [
        embedded(resourceUri, 'text/plain', 'Embedded resource content for testing.'),
      ],
      text: () => 'Please process the embedded resource above.',
    },
    {
      name: 'test_prompt_with_image',
      title: 'Picture',
      description: 'A picture and a sentence.',
      scopes: [],
      arguments: [],
      content: () => [image],
      text: () => 'Please analyze the image above.',
    },
    ...askingPrompts,
  ],
};
