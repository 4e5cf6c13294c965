import { z } from 'zod';
import type { Deps } from '../deps.ts';
import { contentTypes } from '../domain/assignment.ts';
import { notFound } from '../domain/errors.ts';
import { operation } from '../operation.ts';
import type { Connector, ContentSpec } from '../platforms/contract.ts';
import { text } from './fields.ts';

const platformItem = z.object({
  slug: z.string(),
  name: z.string(),
  status: z.enum(['live', 'planned', 'unconfigured']),
  sandbox: z.boolean(),
  contentTypes: z.array(z.enum(contentTypes)),
  hasCapabilities: z.boolean(),
});

type PlatformItem = z.infer<typeof platformItem>;

const hints = { readOnly: true, destructive: false, idempotent: true, openWorld: false };

export const listPlatforms = operation({
  name: 'list_platforms',
  title: 'List platforms',
  description:
    'Lists every platform with its status: live (can be published to), unconfigured (this server has no credentials) or ' +
    'planned (cannot be published to yet). sandbox: true means that new channels are made on the built-in practice ' +
    'network and nothing reaches the real platform. Free.',
  access: 'platforms:read',
  credits: 'FREE',
  hints,
  input: z.strictObject({}),
  output: z.object({ items: z.array(platformItem) }),
  rest: { method: 'GET', path: '/platforms', status: 200 },
  mcp: {
    text: ({ items }) =>
      items.map((item) => `${item.slug}: ${item.status}${item.sandbox ? ' (sandbox)' : ''}`).join('\n'),
  },
  kind: 'read',
  async handle(_input, { deps }) {
    const { connectors, planned } = deps.platforms;
    const live = connectors.map((connector) => describe(deps, connector));
    const later = planned.map(
      ({ slug, name, contentTypes }): PlatformItem => ({
        slug,
        name,
        status: 'planned',
        sandbox: false,
        contentTypes: [...contentTypes],
        hasCapabilities: false,
      }),
    );
    return { items: [...live, ...later] };
  },
});

function describe(deps: Deps, connector: Connector): PlatformItem {
  const status = deps.platforms.status(connector.slug) ?? 'unconfigured';
  return {
    slug: connector.slug,
    name: connector.name,
    status,
    sandbox: status === 'live' && deps.platforms.usesSandbox(connector),
    contentTypes: contentTypes.filter((type) => connector.content[type]),
    hasCapabilities: true,
  };
}

const capability = z.object({
  type: z.enum(contentTypes),
  payload: z.record(z.string(), z.unknown()).meta({ description: 'JSON Schema of the payload.' }),
  media: z
    .object({
      required: z.boolean(),
      minFiles: z.int(),
      maxFiles: z.int(),
      contentTypes: z.array(z.string()),
      maxBytes: z.number(),
      maxSeconds: z.number().optional(),
    })
    .optional(),
});

export const getPlatformCapabilities = operation({
  name: 'get_platform_capabilities',
  title: 'Get platform capabilities',
  description:
    'Tells what one platform accepts: for each content type the payload as JSON Schema (required fields, limits, defaults, ' +
    'allowed values) and the media rules. Read this before create_assignment and use only the fields it names. Free.',
  access: 'platforms:read',
  credits: 'FREE',
  hints,
  input: z.strictObject({ platform: text('Platform slug from list_platforms, e.g. youtube.', 40) }),
  output: platformItem.extend({ capabilities: z.array(capability) }),
  rest: { method: 'GET', path: '/platforms/{platform}/capabilities', status: 200 },
  mcp: {
    text: (found) =>
      `${found.name} (${found.status}) takes: ${found.capabilities.map(({ type }) => type).join(', ') || 'nothing yet'}.`,
  },
  kind: 'read',
  async handle({ platform }, { deps }) {
    const connector = deps.platforms.find(platform);
    if (connector) {
      const item = describe(deps, connector);
      const capabilities = item.contentTypes.flatMap((type) => {
        const spec = connector.content[type];
        return spec ? [{ type, ...capabilityOf(spec) }] : [];
      });
      return { ...item, capabilities };
    }
    const planned = deps.platforms.planned.find(({ slug }) => slug === platform);
    if (!planned) throw notFound('platform');
    const { slug, name, contentTypes } = planned;
    const none = { sandbox: false, contentTypes: [...contentTypes], hasCapabilities: false, capabilities: [] };
    return { slug, name, status: 'planned' as const, ...none };
  },
});

function capabilityOf({ payload, media }: ContentSpec) {
  const { $schema: _, ...schema } = z.toJSONSchema(payload, { io: 'input' });
  return {
    payload: schema,
    ...(media && {
      media: {
        required: media.min > 0,
        minFiles: media.min,
        maxFiles: media.max,
        contentTypes: [...media.contentTypes],
        maxBytes: media.maxBytes,
        ...(media.maxSeconds !== undefined && { maxSeconds: media.maxSeconds }),
      },
    }),
  };
}
