import { z } from 'zod';
import { badRequest, type GoogleError } from './errors.ts';

const assignableCategories = [1, 2, 10, 15, 17, 19, 20, 22, 23, 24, 25, 26, 27, 28, 29].map(String);

/** YouTube's count: commas between tags count, and a tag with a space counts the quotes it would need. */
export function tagsLength(tags: readonly string[]): number {
  const characters = tags.reduce((sum, tag) => sum + [...tag].length + (tag.includes(' ') ? 2 : 0), 0);
  return characters + Math.max(0, tags.length - 1);
}

const withoutAngles = z.string().regex(/^[^<>]*$/);
const language = z.string().regex(/^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$/);

const snippet = z.strictObject({
  title: withoutAngles.refine((title) => title.trim() !== '' && [...title].length <= 100),
  description: withoutAngles.refine((text) => Buffer.byteLength(text) <= 5000).default(''),
  tags: z
    .array(withoutAngles.min(1))
    .refine((tags) => tagsLength(tags) <= 500)
    .default([]),
  categoryId: z.enum(assignableCategories).default('22'),
  defaultLanguage: language.optional(),
  defaultAudioLanguage: language.optional(),
});

const status = z.strictObject({
  privacyStatus: z.enum(['public', 'unlisted', 'private']).default('public'),
  publishAt: z.iso.datetime({ offset: true }).optional(),
  license: z.enum(['youtube', 'creativeCommon']).default('youtube'),
  embeddable: z.boolean().default(true),
  publicStatsViewable: z.boolean().default(true),
  selfDeclaredMadeForKids: z.boolean().optional(),
  containsSyntheticMedia: z.boolean().optional(),
});

const videoMetadata = z
  .strictObject({ snippet, status: status.prefault({}) })
  .refine(({ status }) => status.publishAt === undefined || status.privacyStatus === 'private', {
    path: ['status', 'publishAt'],
  });

export type VideoMetadata = z.infer<typeof videoMetadata>;

const reasons: Readonly<Record<string, [reason: string, message: string]>> = {
  'snippet.title': ['invalidTitle', 'The request metadata specifies an invalid or empty video title.'],
  'snippet.description': ['invalidDescription', 'The request metadata specifies an invalid video description.'],
  'snippet.tags': ['invalidTags', 'The request metadata specifies invalid video keywords.'],
  'snippet.categoryId': ['invalidCategoryId', 'The snippet.categoryId property specifies an invalid category ID.'],
  'status.publishAt': ['invalidPublishAt', 'The request metadata specifies an invalid scheduled publishing time.'],
};

function refusal(issue: z.core.$ZodIssue | undefined): GoogleError {
  if (issue?.code === 'unrecognized_keys') {
    const place = ['video', ...issue.path].join('.');
    const message = `Invalid JSON payload received. Unknown name "${issue.keys[0]?.slice(0, 100)}" at '${place}': Cannot find field.`;
    return badRequest('badRequest', message, { status: 'INVALID_ARGUMENT' });
  }
  const place = issue?.path.slice(0, 2).join('.') ?? '';
  const missingSnippet = place === 'snippet';
  const [reason, message] = reasons[missingSnippet ? 'snippet.title' : place] ?? [
    'invalidVideoMetadata',
    'The request metadata is invalid.',
  ];
  const location = missingSnippet ? 'body.snippet.title' : `body.${place}`;
  return badRequest(reason, message, { domain: 'youtube.video', location, locationType: 'parameter' });
}

/** The video resource of an insert, with YouTube's defaults; throws the 400 YouTube answers. */
export function parseMetadata(text: string, parts: ReadonlySet<string>): VideoMetadata {
  let input: unknown;
  try {
    input = JSON.parse(text === '' ? '{}' : text);
  } catch {
    throw badRequest('parseError', 'Parse Error');
  }
  const parsed = videoMetadata.safeParse(input);
  if (!parsed.success) throw refusal(parsed.error.issues[0]);
  const unexpected = Object.keys(input as object).find((part) => !parts.has(part));
  if (unexpected) {
    throw badRequest('unexpectedPart', unexpected, {
      domain: 'youtube.part',
      location: 'part',
      locationType: 'parameter',
    });
  }
  return parsed.data;
}
