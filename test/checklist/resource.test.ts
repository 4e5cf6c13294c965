import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scopes } from '../../src/domain/access.ts';
import { connectChannel } from '../channel.ts';
import { startHarness } from '../harness.ts';
import { getToken, rpc, toolCall } from '../mcp-client.ts';
import { startMediaServer } from '../media-server.ts';
import {
  callMcp,
  exchange,
  getCode,
  getTokens,
  issuer,
  newClient,
  query,
  resource,
  send,
  startPharlo,
  tokensOf,
} from './outside.ts';

// Item 45 of the security checklist.

test('45 Resource server: a token counts in the header alone, for its audience, goes no further, and a 403 names all scopes', async (t) => {
  await using pharlo = await startPharlo();
  const id = await newClient(pharlo);
  const { access_token: bound } = await getTokens(pharlo, id);
  const open = tokensOf(await exchange(pharlo, id, await getCode(pharlo, id))).access_token;
  const json = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
  const list = { jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} };
  const call = (path: string, method: string, headers: Record<string, string>, body?: string) =>
    send(pharlo, issuer + path, { method, headers, ...(body !== undefined && { body }) });

  await t.test('header only', async () => {
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const elsewhere = [
      await call(`/_mcp?access_token=${open}`, 'POST', json, JSON.stringify(list)),
      await call('/_mcp', 'POST', form, `access_token=${open}`),
      await call('/_mcp', 'POST', json, JSON.stringify({ ...list, access_token: open })),
      await call('/_mcp', 'POST', { ...json, cookie: `access_token=${open}` }, JSON.stringify(list)),
      await call(`/api/v1/platforms?access_token=${open}`, 'GET', {}),
      await call('/_mcp', 'POST', { ...json, authorization: `Bearer  ${open}` }, JSON.stringify(list)),
      await call('/_mcp', 'POST', { ...json, authorization: `Bearer ${open} ${open}` }, JSON.stringify(list)),
    ];
    for (const [index, { status }] of elsewhere.entries()) assert.equal(status, 401, String(index));
    assert.equal((await callMcp(pharlo, `Bearer ${open}`)).status, 200, 'positive control');
  });

  await t.test('audience', async () => {
    const rest = async (token: string) =>
      (await call('/api/v1/platforms', 'GET', { authorization: `Bearer ${token}` })).status;
    assert.deepEqual([await rest(open), await rest(bound), await rest(pharlo.key)], [200, 401, 200]);
    assert.equal((await callMcp(pharlo, `Bearer ${bound}`)).status, 200);
    assert.equal((await callMcp(pharlo, `Bearer ${pharlo.key}`)).status, 401, 'a key is no token');
    const foreign = 'https://other.example/_mcp';
    await query(pharlo, 'update oauth_tokens set resource = $1 where resource = $2', [foreign, resource]);
    assert.equal((await callMcp(pharlo, `Bearer ${bound}`)).status, 401);
  });

  await t.test('every scope of an array is asked for at once', async () => {
    const { access_token } = await getTokens(pharlo, id, { scope: 'platforms:read' });
    const calls = ['list_connections', 'create_assignment', 'list_platforms'].map((name) => toolCall(name, {}));
    const version = { 'mcp-protocol-version': '2025-03-26', authorization: `Bearer ${access_token}` };
    const { status, headers } = await call('/_mcp', 'POST', { ...json, ...version }, JSON.stringify(calls));
    assert.equal(status, 403);
    const challenge = headers.get('www-authenticate') ?? '';
    assert.match(challenge, /^Bearer error="insufficient_scope"/);
    const needed = scopes.filter((one) => ['platforms:read', 'connections:read', 'assignments:write'].includes(one));
    assert.ok(challenge.includes(` scope="${needed.join(' ')}"`), challenge);
    assert.ok(challenge.includes(`resource_metadata="${issuer}/.well-known/oauth-protected-resource/_mcp"`));
  });

  await t.test('no passthrough', async () => {
    await using media = await startMediaServer();
    await using local = await startHarness({ environment: { PHARLO_ALLOWED_PRIVATE_HOSTS: media.host } });
    const connectionId = await connectChannel(local);
    const token = await getToken(local);
    const sent: string[] = [];
    const spy = (message: unknown) => sent.push(JSON.stringify((message as { headers?: unknown }).headers));
    const { subscribe, unsubscribe } = await import('node:diagnostics_channel');
    subscribe('undici:client:sendHeaders', spy);
    try {
      const input = { connectionId, type: 'video', payload: { title: 'A title' }, mediaUrl: `${media.url}/video.mp4` };
      assert.equal((await rpc(local, token, toolCall('create_assignment', input))).status, 200);
    } finally {
      unsubscribe('undici:client:sendHeaders', spy);
    }
    const outgoing = sent.filter((headers) => !headers.includes('/_mcp'));
    assert.ok(
      media.requests.length > 0 && outgoing.some((headers) => headers.includes('/video.mp4')),
      'somebody was asked',
    );
    for (const headers of outgoing) assert.ok(!headers.includes(token) && !/authorization/i.test(headers), headers);
  });
});
