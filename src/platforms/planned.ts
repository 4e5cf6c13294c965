import type { PlannedPlatform } from './contract.ts';

const withLinks = ['text', 'link', 'image', 'video'] as const;

/** Networks that are listed and refuse assignments. */
export const planned: readonly PlannedPlatform[] = [
  { slug: 'facebook', name: 'Facebook', contentTypes: ['video', 'image', 'link', 'text', 'reel', 'story'] },
  { slug: 'bluesky', name: 'Bluesky', contentTypes: withLinks },
  { slug: 'mastodon', name: 'Mastodon', contentTypes: withLinks },
  { slug: 'telegram', name: 'Telegram', contentTypes: withLinks },
  { slug: 'instagram', name: 'Instagram', contentTypes: ['image', 'video', 'carousel', 'reel', 'story'] },
  { slug: 'tiktok', name: 'TikTok', contentTypes: ['video', 'image', 'carousel'] },
  { slug: 'threads', name: 'Threads', contentTypes: ['text', 'link', 'image', 'video', 'carousel'] },
  { slug: 'x', name: 'X', contentTypes: withLinks },
  { slug: 'linkedin', name: 'LinkedIn', contentTypes: ['text', 'link', 'image', 'video', 'carousel'] },
];
