import type { Operation } from '../../src/operation.ts';
import { type Base, type BaseMaker, goodInput } from './bases.ts';
import type { Dice } from './dice.ts';
import { type Json, toJson } from './values.ts';
import type { Wire } from './wire.ts';
import type { World } from './world.ts';

type Params = { [name: string]: Json };

const modernVersion = '2026-07-28';
const legacyVersions = ['2025-03-26', '2025-06-18', '2025-11-25'];

/** Good messages to `/_mcp`: a call of every tool, and every other method, in both protocol eras. */
export function mcpBases(operations: readonly Operation[]): BaseMaker[] {
  const tools = operations
    .filter(({ mcp }) => mcp)
    .map((op) =>
      maker(`mcp ${op.name}`, 'tools/call', (world, dice) => ({
        name: op.name,
        arguments: goodInput(op, world, dice),
      })),
    );
  return [...tools, ...others];
}

const others: readonly BaseMaker[] = [
  maker('mcp tools/list', 'tools/list', () => ({})),
  maker('mcp prompts/list', 'prompts/list', () => ({})),
  maker('mcp prompts/get', 'prompts/get', (_world, dice) => ({
    name: dice.pick(['publish_now', 'schedule_post', 'connect_channel', 'weekly_report']),
    arguments: { channel: 'Mine', platform: 'youtube' },
  })),
  maker('mcp resources/list', 'resources/list', () => ({})),
  maker('mcp resources/templates/list', 'resources/templates/list', () => ({})),
  maker('mcp resources/read', 'resources/read', (world, dice) => ({
    uri: dice.pick([`pharlo://assignments/${world.publishedId}`, 'pharlo://platforms/youtube', 'pharlo://agent-rules']),
  })),
  maker('mcp completion/complete', 'completion/complete', (_world, dice) =>
    dice.pick<Params>([
      { ref: { type: 'ref/prompt', name: 'connect_channel' }, argument: { name: 'platform', value: 'y' } },
      { ref: { type: 'ref/resource', uri: 'pharlo://platforms/{slug}' }, argument: { name: 'slug', value: '' } },
    ]),
  ),
  maker('mcp subscriptions/listen', 'subscriptions/listen', ({ publishedId }) => ({
    notifications: { resourceSubscriptions: [`pharlo://assignments/${publishedId}`, 'pharlo://platforms'] },
  })),
  maker('mcp server/discover', 'server/discover', () => ({})),
  maker('mcp initialize', 'initialize', () => ({
    protocolVersion: '2025-06-18',
    capabilities: {},
    clientInfo: { name: 'fuzz', version: '1' },
  })),
  maker('mcp ping', 'ping', () => ({})),
  maker('mcp notification', 'notifications/initialized', () => ({})),
];

const modernOnly = new Set(['subscriptions/listen', 'server/discover']);
const legacyOnly = new Set(['initialize', 'ping', 'notifications/initialized']);

function maker(label: string, method: string, paramsOf: (world: World, dice: Dice) => Params): BaseMaker {
  const make = (world: World, dice: Dice): Base => {
    const modern = !legacyOnly.has(method) && (modernOnly.has(method) || dice.chance(0.5));
    const id = method.startsWith('notifications/') ? {} : { id: dice.pick<Json>([1, 'a', 2 ** 31]) };
    const params = { ...paramsOf(world, dice), ...(modern && { _meta: meta(dice) }) };
    const message = { jsonrpc: '2.0', ...id, method, params };
    const version = modern ? modernVersion : dice.pick(legacyVersions);
    // A client initializes once, so never in company.
    const several = version === '2025-03-26' && dice.chance(0.2) && 'id' in message && message.method !== 'initialize';
    const input: Json = several ? [message, { ...message, id: 'second' }] : message;
    const headers = headersOf(world, version, modern ? message : undefined);
    const encode = (given: Json): Wire => ({
      method: 'POST',
      path: '/_mcp',
      headers,
      body: Buffer.from(toJson(given)),
    });
    return { label, input, encode };
  };
  return { label, make };
}

function meta(dice: Dice): Params {
  return {
    'io.modelcontextprotocol/protocolVersion': modernVersion,
    'io.modelcontextprotocol/clientCapabilities': dice.chance(0.3) ? { elicitation: { form: {} } } : {},
    ...(dice.chance(0.2) && { progressToken: dice.pick<Json>([1, 'p']) }),
  };
}

function headersOf(world: World, version: string, message?: { method: string; params: Params }): Wire['headers'] {
  const { name, uri } = message?.params ?? {};
  const target = name ?? uri;
  return [
    ['authorization', `Bearer ${world.token}`],
    ['content-type', 'application/json'],
    ['accept', 'application/json, text/event-stream'],
    ['mcp-protocol-version', version],
    ...(message ? [['mcp-method', message.method] as [string, string]] : []),
    ...(typeof target === 'string' && message ? [['mcp-name', target] as [string, string]] : []),
  ];
}
