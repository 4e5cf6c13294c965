import type { SandboxContext } from '../context.ts';

export type Channel = {
  id: string;
  clientId: string;
  title: string;
  handle: string;
  /** 1 = its owner keeps the number of subscribers to themselves. */
  hidesSubscribers: 0 | 1;
  createdAt: number;
};

const clientIdPattern = /^pharlo-sandbox\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function isClientId(value: string): boolean {
  return clientIdPattern.test(value);
}

/** URL-safe secret or id of `bytes` random bytes. */
export function randomId({ random }: SandboxContext, bytes: number): string {
  return Buffer.from(random(bytes)).toString('base64url');
}

function handleFrom(title: string): string {
  const words =
    title
      .normalize('NFKD')
      .toLowerCase()
      .match(/[a-z0-9]+/g) ?? [];
  return words.join('-').slice(0, 30).replace(/-$/, '') || 'channel';
}

/** Makes a channel with a handle of its own among those of the client. */
export function createChannel(
  context: SandboxContext,
  clientId: string,
  title: string,
  hidesSubscribers = false,
): Channel {
  const base = handleFrom(title);
  const taken = new Set(channelsOf(context, clientId).map((channel) => channel.handle));
  let handle = base;
  for (let number = 2; taken.has(handle); number++) handle = `${base}-${number}`;
  const channel: Channel = {
    id: `UC${randomId(context, 16)}`,
    clientId,
    title,
    handle,
    hidesSubscribers: hidesSubscribers ? 1 : 0,
    createdAt: context.now(),
  };
  context.store.run(
    `INSERT INTO channel (id, clientId, title, handle, hidesSubscribers, createdAt)
     VALUES ($id, $clientId, $title, $handle, $hidesSubscribers, $createdAt)`,
    channel,
  );
  return channel;
}

export function channelsOf({ store }: SandboxContext, clientId: string): Channel[] {
  return store.all<Channel>('SELECT * FROM channel WHERE clientId = $clientId ORDER BY rowid', { clientId });
}

/** The client's channels; the first time it gets two to choose from. */
export function channelsToOffer(context: SandboxContext, clientId: string): Channel[] {
  return context.store.transaction(() => {
    const channels = channelsOf(context, clientId);
    if (channels.length > 0) return channels;
    return [
      createChannel(context, clientId, 'Sandbox Channel'),
      createChannel(context, clientId, 'Second Sandbox Channel'),
    ];
  });
}

export function findChannel({ store }: SandboxContext, id: string): Channel | undefined {
  return store.get<Channel>('SELECT * FROM channel WHERE id = $id', { id });
}

export function channelTotals({ store }: SandboxContext, channelId: string): { videos: number; views: number } {
  const sql = 'SELECT count(*) AS videos, coalesce(sum(views), 0) AS views FROM video WHERE channelId = $channelId';
  return store.get<{ videos: number; views: number }>(sql, { channelId }) ?? { videos: 0, views: 0 };
}

/** Id of the playlist that holds a channel's uploads, as YouTube derives it. */
export function uploadsPlaylist(channelId: string): string {
  return `UU${channelId.slice(2)}`;
}

/** Resource of channels.list. Google writes 64-bit numbers as strings; nobody can subscribe here, hidden or not. */
export function channelResource(context: SandboxContext, channel: Channel, parts: ReadonlySet<string>): object {
  const totals = channelTotals(context, channel.id);
  const picture = (size: number) => ({
    url: `${context.origin}/youtube/avatar/${channel.id}`,
    width: size,
    height: size,
  });
  return {
    kind: 'youtube#channel',
    id: channel.id,
    ...(parts.has('snippet') && {
      snippet: {
        title: channel.title,
        description: '',
        customUrl: `@${channel.handle}`,
        publishedAt: new Date(channel.createdAt).toISOString(),
        thumbnails: { default: picture(88), medium: picture(240), high: picture(800) },
        localized: { title: channel.title, description: '' },
      },
    }),
    ...(parts.has('contentDetails') && {
      contentDetails: { relatedPlaylists: { likes: '', uploads: uploadsPlaylist(channel.id) } },
    }),
    ...(parts.has('statistics') && {
      statistics: {
        viewCount: String(totals.views),
        subscriberCount: '0',
        hiddenSubscriberCount: channel.hidesSubscribers === 1,
        videoCount: String(totals.videos),
      },
    }),
  };
}
