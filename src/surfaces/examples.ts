import { type JsonSchema, typesOf } from './schemas.ts';

/** Values as they look in real life, by the name of their member; after a dot, of objects that have the member before it. */
const known = new Map<string, unknown>(
  Object.entries({
    id: '019a5b4e-7c1d-7a52-9d0e-3f6b8a2c4d10',
    'tokenStatus.id': '019a5b4d-11f0-7c3b-8a64-5e7d9c0b1a22',
    'redirectHost.id': '019a5b50-6e21-7f18-9c3a-8d7e6f5a4b66',
    grantId: '019a5b50-6e21-7f18-9c3a-8d7e6f5a4b66',
    keyId: '019a5b4b-5c90-7d27-8e41-2a3b4c5d6e77',
    clientId: 'mcp_client_Zq3vN8',
    assignmentId: '019a5b4e-7c1d-7a52-9d0e-3f6b8a2c4d10',
    connectionId: '019a5b4d-11f0-7c3b-8a64-5e7d9c0b1a22',
    organizationId: '019a5b4c-02aa-7e91-b3f5-6c8d0e1f2a33',
    ticketId: '019a5b4f-93be-7d04-a1c8-7b9e2f3a4c55',
    platform: 'youtube',
    slug: 'youtube',
    'slug.name': 'YouTube',
    'slug.payload': { type: 'object', properties: { title: { type: 'string', maxLength: 100 } }, required: ['title'] },
    'maxBytes.contentTypes': ['video/mp4'],
    maxBytes: 274877906944,
    'media.payload': { type: 'object', properties: { title: { type: 'string', maxLength: 100 } }, required: ['title'] },
    name: 'Harbour Films',
    handle: '@harbourfilms',
    tokenStatus: 'valid',
    isActive: true,
    retryable: false,
    sandbox: false,
    attempts: 0,
    payload: { title: 'Low tide at dawn' },
    mediaUrl: 'https://media.example.com/low-tide.mp4',
    contentTypes: ['video'],
    errors: [],
    connectionIds: [],
    status: 'pending',
    platformPostId: 'dQ8w4zWgXcA',
    subscribers: 1840,
    totalViews: 96210,
    totalPosts: 57,
    views: 1208,
    likes: 94,
    comments: 11,
    successRate: 0.95,
    published: 19,
    failed: 1,
    cancelled: 0,
    pending: 0,
    inProgress: 0,
    'published.total': 20,
    total: 1,
    page: 1,
    limit: 20,
    plan: 'starter',
    planName: 'Starter',
    balance: 412.4,
    monthlyCredits: 500,
    creditsUsedThisCycle: 87.6,
    credits: 3,
    'state.credits': -3,
    operation: 'create_assignment',
    action: 'create_assignment',
    outcome: 'ok',
    clientName: 'Claude',
    redirectHost: 'claude.ai',
    url: 'https://pharlo.example.com/…',
    authUrl: 'https://pharlo.example.com/…',
  }),
);

/** Members that are shown though they can be absent. */
const telling = new Set([
  ...['handle', 'mediaUrl', 'media', 'subscribers', 'totalViews', 'totalPosts', 'views', 'likes', 'comments'],
  ...['balance', 'monthlyCredits', 'successRate', 'clientName'],
]);

const at = '2026-11-20T08:00:00.000Z';
const later = new Map(['until', 'expiresAt', 'to', 'cycleResetsAt'].map((name) => [name, '2026-11-20T08:15:00.000Z']));

/** A value that fits a JSON Schema, to show what it means. The same at every call. */
export function exampleOf(schema: JsonSchema, name = '', sibling: (name: string) => boolean = () => false): unknown {
  const { anyOf, properties } = schema as { anyOf?: JsonSchema[]; properties?: Record<string, JsonSchema> };
  const [first] = anyOf ?? [];
  if (first) return exampleOf(first, name, sibling);
  if (schema.const !== undefined) return schema.const;
  const value = [...known].find(([key]) => key.endsWith(`.${name}`) && sibling(key.split('.')[0] ?? ''))?.[1];
  const candidate = value ?? known.get(name);
  if (candidate !== undefined && fits(candidate, schema)) return candidate;
  const choices = schema.enum as unknown[] | undefined;
  if (choices) return choices[0];
  if (properties) return exampleObject(properties, (schema.required as string[] | undefined) ?? []);
  if (schema.format === 'date-time') return later.get(name) ?? at;
  if (schema.type === 'array')
    return [exampleOf((schema.items as JsonSchema | undefined) ?? {}, name.replace(/s$/, ''))];
  return { string: name || 'text', integer: 1, number: 1, boolean: true, object: {} }[typesOf(schema)[0] ?? ''] ?? null;
}

function exampleObject(properties: Record<string, JsonSchema>, required: readonly string[]): object {
  const shown = Object.entries(properties).filter(([name]) => required.includes(name) || telling.has(name));
  const has = (name: string) => Object.hasOwn(properties, name);
  return Object.fromEntries(shown.map(([name, member]) => [name, exampleOf(member, name, has)]));
}

function fits(value: unknown, schema: JsonSchema): boolean {
  if (Array.isArray(schema.enum)) return schema.enum.includes(value);
  const types = typesOf(schema);
  if (Array.isArray(value)) return types.includes('array');
  return types.length === 0 || types.includes(typeof value) || (types.includes('integer') && Number.isInteger(value));
}
