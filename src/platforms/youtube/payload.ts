import { z } from 'zod';
import type { ContentSpec, MediaRules } from '../contract.ts';

const titleCharacters = 100;
const descriptionBytes = 5000;
const tagCharacters = 500;
const withoutAngles = /^[^<>]*$/;
const noAngles = 'must not contain < or >';

/** YouTube's count: commas between tags count, and a tag with a space counts the quotes it would need. */
export function countTags(tags: readonly string[]): number {
  const characters = tags.reduce((sum, tag) => sum + [...tag].length + (tag.includes(' ') ? 2 : 0), 0);
  return characters + Math.max(0, tags.length - 1);
}

export const payload = z.strictObject({
  title: z
    .string()
    .regex(withoutAngles, noAngles)
    .refine((title) => title.trim() !== '', 'must not be empty')
    .refine((title) => [...title].length <= titleCharacters, `must have at most ${titleCharacters} characters`)
    .meta({ description: 'Title of the video, without < and >.', minLength: 1, maxLength: titleCharacters }),
  description: z
    .string()
    .regex(withoutAngles, noAngles)
    .refine((text) => Buffer.byteLength(text) <= descriptionBytes, `must have at most ${descriptionBytes} bytes`)
    .default('')
    .meta({
      description: `Text below the video, without < and >; at most ${descriptionBytes} bytes in UTF-8.`,
      maxLength: descriptionBytes,
    }),
  privacy: z
    .enum(['public', 'unlisted', 'private'])
    .default('private')
    .meta({ description: 'Who may watch: everyone, everyone with the link, or the owner alone.' }),
  tags: z
    .array(z.string().min(1).max(tagCharacters).regex(withoutAngles, noAngles))
    .max(tagCharacters)
    .refine((tags) => countTags(tags) <= tagCharacters, `must have at most ${tagCharacters} characters together`)
    .default([])
    .meta({
      description: `Keywords; at most ${tagCharacters} characters together, with a comma between two and two quotes for one with a space.`,
    }),
  categoryId: z
    .string()
    .regex(/^\d{1,4}$/, 'must be the number of a category')
    .default('22')
    .meta({ description: 'Number of a YouTube category, e.g. 22 = People & Blogs, 28 = Science & Technology.' }),
  madeForKids: z
    .boolean()
    .default(false)
    .meta({ description: 'True when the video is made for children; YouTube then limits its features.' }),
  notifySubscribers: z
    .boolean()
    .default(true)
    .meta({ description: 'True to tell the subscribers of the channel about a public video.' }),
});

export type Payload = z.infer<typeof payload>;

const media: MediaRules = {
  contentTypes: [
    'video/mp4',
    'video/x-m4v',
    'video/quicktime',
    'video/webm',
    'video/matroska',
    'video/x-matroska',
    'video/mpeg',
    'video/mp2t',
    'video/3gpp',
    'video/3gpp2',
    'video/x-flv',
    'video/x-ms-asf',
    'video/x-ms-wmv',
    'video/vnd.avi',
    'video/x-msvideo',
  ],
  maxBytes: 256 * 1024 ** 3,
  min: 1,
  max: 1,
};

export const video: ContentSpec = { payload, media };

/** YouTube has no flag for it: a square or upright video of at most three minutes becomes a Short. */
export const short: ContentSpec = { payload, media: { ...media, maxSeconds: 180 } };

/** The video resource of videos.insert. */
export function videoResource({ title, description, tags, categoryId, privacy, madeForKids }: Payload): object {
  return {
    snippet: { title, description, tags, categoryId },
    status: { privacyStatus: privacy, selfDeclaredMadeForKids: madeForKids },
  };
}
