import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newId } from '../../src/domain/ids.ts';
import { claimRefresh } from '../../src/store/connections.ts';
import { takeOverLeases } from '../../src/store/publish-jobs.ts';
import { Person } from '../connect/person.ts';
import { type Call, isLastPiece } from './platform.ts';
import { ended, eventually, type Rig, startRig, waitsFor } from './rig.ts';

const MiB = 1024 * 1024;
const isPiece = (call: Call) => call.name.startsWith('PUT ') && /^bytes \d/.test(call.range ?? '');
const isToken = ({ name }: Call) => name === 'POST /youtube/token';

async function tokenStatus({ pharlo, connectionId }: Rig): Promise<unknown> {
  return (await pharlo.rest('GET', `/connections/${connectionId}`)).body.tokenStatus;
}

async function reconnect({ pharlo, connectionId }: Rig, channel: number) {
  const ticket = await pharlo.rest('POST', '/oauth/tickets', { platform: 'youtube', connectionId });
  await new Person().connect(String(ticket.body.url), { channel });
  return (await pharlo.rest('GET', `/oauth/tickets/${ticket.body.ticketId}`)).body;
}

/** Ends the grant at the platform, as its owner may at any time. */
async function revoke(rig: Rig, bearer: string): Promise<void> {
  const body = new URLSearchParams({ token: bearer });
  const response = await fetch(`${rig.platform.origin}/youtube/revoke`, { method: 'POST', body });
  assert.equal(response.status, 200);
}

test('a token that ends in the middle of an upload is renewed and the upload goes on', async () => {
  await using rig = await startRig({ mediaBytes: 20 * MiB });
  let refused = 0;
  rig.platform.around = async (call, next) => {
    if (refused > 0 || !isPiece(call) || call.range?.startsWith('bytes 0-')) return next();
    refused++;
    return new Response('{}', { status: 401 });
  };
  const { id } = await rig.create();
  await rig.until(id, waitsFor('token_rejected'));
  await rig.advance(2000);
  assert.equal((await rig.until(id, ended)).status, 'published');
  assert.equal(rig.platform.calls.filter((call) => call === 'POST /youtube/token').length, 2, 'connect and renewal');
  assert.equal(rig.platform.calls.filter((call) => call.includes(' bytes 0-')).length, 1);
  assert.deepEqual(
    (await rig.videos()).map(({ sha256 }) => sha256),
    [rig.media.sha256],
  );
});

test('a token endpoint that is down for minutes fails no job and disconnects no channel', async () => {
  await using rig = await startRig({ work: false });
  const { id } = await rig.create();
  await rig.advance(3_600_000);
  rig.platform.around = async (call, next) => (isToken(call) ? new Response('{}', { status: 503 }) : next());
  await rig.work();
  for (let failures = 1; failures <= 7; failures++) {
    const seen = await rig.until(id, ({ attempts, waiting }) => attempts >= failures && waiting !== undefined);
    await rig.advance(Math.max(0, Date.parse(seen.waiting?.until ?? '') - rig.pharlo.app.deps.now()) + 1);
  }
  assert.equal(await tokenStatus(rig), 'expired');
  rig.platform.around = undefined;
  await rig.advance(600_000);
  assert.equal((await rig.until(id, ended)).status, 'published');
  assert.equal(await tokenStatus(rig), 'valid');
});

test('a revoked grant waits for its person; another account changes nothing, the same one repairs the same id', async () => {
  await using rig = await startRig({ mediaBytes: 20 * MiB });
  let bearer = '';
  rig.platform.around = (call, next) => {
    bearer = call.request.headers.get('authorization')?.replace('Bearer ', '') ?? bearer;
    return next();
  };
  rig.media.gate = 12 * MiB;
  const { id } = await rig.create();
  await rig.media.reached();
  await revoke(rig, bearer);
  rig.media.open();
  await rig.until(id, waitsFor('reconnect_required'));
  assert.equal(await tokenStatus(rig), 'revoked');
  const refused = await rig.pharlo.rest('POST', '/assignments', {
    connectionId: rig.connectionId,
    type: 'video',
    payload: { title: 'Another' },
    mediaUrl: rig.media.url,
  });
  assert.equal((refused.body.error as { code?: string }).code, 'reconnect_required');

  const other = await reconnect(rig, 1);
  assert.deepEqual([other.status, (other.error as { code: string }).code], ['failed', 'account_mismatch']);
  assert.equal(await tokenStatus(rig), 'revoked');
  assert.equal((await rig.pharlo.rest('GET', '/connections')).body.total, 1);

  const same = await reconnect(rig, 0);
  assert.deepEqual([same.status, same.connectionIds], ['success', [rig.connectionId]]);
  assert.equal(await tokenStatus(rig), 'valid');
  assert.equal((await rig.until(id, ended)).status, 'published', 'without waiting for the next look');
  assert.deepEqual(
    (await rig.videos()).map(({ sha256 }) => sha256),
    [rig.media.sha256],
  );
});

test('a job whose channel is not connected again within a day fails and can be retried', async () => {
  await using rig = await startRig();
  let bearer = '';
  rig.platform.around = (call, next) => {
    bearer = call.request.headers.get('authorization')?.replace('Bearer ', '') ?? bearer;
    return next();
  };
  const first = await rig.create();
  await rig.until(first.id, ended);
  await revoke(rig, bearer);
  const { id } = await rig.create();
  await rig.until(id, waitsFor('reconnect_required'));
  await rig.advance(24 * 3_600_000 + 1000);
  const done = await rig.until(id, ended);
  assert.deepEqual(
    [done.status, done.errors[0]?.code, done.errors[0]?.retryable],
    ['failed', 'reconnect_required', true],
  );
  assert.equal(await rig.cost(id), 0);
});

test('what a refresh learns of the old grant does not touch tokens of a newer consent', async () => {
  await using rig = await startRig({ work: false });
  for (const late of [
    new Response(JSON.stringify({ error: 'invalid_grant' }), { status: 400 }),
    Response.json({ access_token: 'ya29.of-the-old-grant', expires_in: 3599 }),
  ]) {
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<Response>();
    rig.platform.around = async (call, next) => {
      if (!isToken(call) || !(await call.request.clone().text()).includes('grant_type=refresh_token')) return next();
      asked.resolve();
      return answer.promise;
    };
    const refresh = rig.pharlo.rest('POST', `/connections/${rig.connectionId}/refresh-token`);
    await asked.promise;
    assert.equal((await reconnect(rig, 0)).status, 'success');
    answer.resolve(late);
    assert.equal((await refresh).status, 503);
    assert.equal(await tokenStatus(rig), 'valid');
  }
  rig.platform.around = undefined;
  await rig.work();
  const { id } = await rig.create();
  assert.equal((await rig.until(id, ended)).status, 'published');
  assert.ok(!rig.platform.calls.some((call) => call.includes('old-grant')));
});

test('tokens are renewed before they end though nothing is published', async () => {
  await using rig = await startRig();
  const before = rig.platform.calls.length;
  await rig.advance(3_000_000);
  await eventually(() => rig.platform.calls.length > before);
  await eventually(async () => (await tokenStatus(rig)) === 'valid');
  assert.deepEqual(rig.platform.calls.slice(before), ['POST /youtube/token']);
});

test('a job waits a moment, not longer each time, while its tokens are just being renewed', async () => {
  await using rig = await startRig({ work: false });
  const { id } = await rig.create();
  await rig.advance(3_600_000);
  const { db, now, random } = rig.pharlo.app.deps;
  assert.ok(await claimRefresh(db, rig.pharlo.workspaceId, rig.connectionId, newId(now(), random)));
  await rig.work();
  for (let looks = 1, until: string | undefined; looks <= 15; looks++) {
    const { waiting } = await rig.until(id, (seen) => seen.waiting !== undefined && seen.waiting.until !== until);
    until = waiting?.until;
    assert.equal(waiting?.reason, 'refresh_running');
    assert.ok(Date.parse(waiting?.until ?? '') - now() <= 1000);
    await rig.advance(1001);
  }
  await rig.advance(30_000);
  assert.equal((await rig.until(id, ended)).status, 'published');
});

test('the one worker takes over the renewal that a crash broke off', async () => {
  await using rig = await startRig({ work: false });
  const { db, now, random } = rig.pharlo.app.deps;
  const renew = () => claimRefresh(db, rig.pharlo.workspaceId, rig.connectionId, newId(now(), random));
  assert.ok(await renew());
  assert.equal(await renew(), undefined);
  await takeOverLeases(db);
  assert.ok(await renew(), 'without the 30 s of the claim');
});

test('a refused token is not renewed during a shutdown', async () => {
  await using rig = await startRig({ work: false });
  const begun = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  rig.platform.around = async (call, next) => {
    if (!isLastPiece(call)) return next();
    begun.resolve();
    await go.promise;
    return new Response('{}', { status: 401 });
  };
  const engine = await rig.work();
  const { id } = await rig.create();
  await begun.promise;
  const stopped = engine.stop();
  go.resolve();
  await stopped;
  assert.equal(
    rig.platform.calls.filter((call) => call === 'POST /youtube/token').length,
    1,
    'only that of the connect',
  );
  assert.equal((await rig.get(id)).waiting, undefined);
  rig.platform.around = undefined;
  await rig.advance(26_000);
  await rig.work();
  assert.equal((await rig.until(id, ended)).status, 'published');
  assert.equal((await rig.videos()).length, 1);
});
