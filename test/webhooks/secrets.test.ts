import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { readWebhookSecrets, rotateWebhookSecrets, signatureHeaders } from '../../src/callback.ts';
import { sweepExpired } from '../../src/store/sweep.ts';
import { eventually } from '../engine/rig.ts';
import {
  advance,
  assertSigned,
  hexOf,
  type Received,
  secretOf,
  standardOf,
  startSender,
  untilDelivery,
} from './receiver.ts';

test('the signature of the Standard Webhooks specification, and that of HMAC-SHA256 over the body', () => {
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  const message = { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', body: '{"test": 2432232314}', at: 1_614_265_330_999 };
  const headers = signatureHeaders({ secret }, message);
  assert.equal(headers['webhook-timestamp'], '1614265330');
  assert.equal(headers['webhook-signature'], 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
  // RFC 4231 §4.3.
  const known = signatureHeaders({ secret: 'Jefe' }, { ...message, body: 'what do ya want for nothing?' });
  assert.equal(known['x-webhook-signature'], '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843');
});

test('a workspace gets one secret, whoever asks first; it signs for that workspace alone', async () => {
  await using sender = await startSender({ work: false });
  const { pharlo } = sender;
  const secrets = await Promise.all(Array.from({ length: 64 }, () => secretOf(pharlo)));
  assert.equal(new Set(secrets).size, 1);
  assert.match(secrets[0] ?? '', /^whsec_[A-Za-z0-9+/]{43}=$/);
  const { deps } = pharlo.app;
  const { db } = deps;
  const rotated = await db.query<{ secret: Buffer }>({ text: 'select secret from webhook_secrets', values: [] });
  const elsewhere = deps.vault.open('workspace:another:webhook-secret', rotated[0]?.secret ?? Buffer.alloc(0));
  assert.equal(elsewhere, undefined);
});

test('for a day after a rotation both secrets sign, the new one first; "now" leaves no overlap', async () => {
  await using sender = await startSender();
  const { pharlo, receiver, db } = sender;
  const { deps } = pharlo.app;
  const next = async (): Promise<Received> => {
    const seen = receiver.received.length;
    await sender.cancelled();
    await eventually(() => receiver.received.length > seen);
    return receiver.received[seen] ?? assert.fail();
  };
  const rotate = (now: boolean) => rotateWebhookSecrets(deps, db, pharlo.workspaceId, { now });
  const old = await secretOf(pharlo);
  assertSigned(await next(), old);

  const rotated = await rotate(false);
  assert.notEqual(rotated?.secret, old);
  assert.equal(rotated?.previous?.secret, old);
  assert.ok(Math.abs((rotated?.previous?.until.getTime() ?? 0) - deps.now() - 24 * 3_600_000) < 10_000);
  const fresh = await secretOf(pharlo);
  assert.equal(fresh, rotated?.secret);
  const both = await next();
  assert.equal(both.headers['x-webhook-signature'], hexOf(fresh, both.text));
  assert.equal(both.headers['webhook-signature'], `${standardOf(fresh, both)} ${standardOf(old, both)}`);
  for (const secret of [fresh, old]) new Webhook(secret).verify(both.text, both.headers as Record<string, string>);

  await advance(pharlo, 24 * 3_600_000 + 1000);
  assertSigned(await next(), fresh);
  const kept = () =>
    db.query<{ previous: Buffer | null }>({ text: 'select previous from webhook_secrets', values: [] });
  assert.ok((await kept())[0]?.previous);
  await sweepExpired(db);
  assert.equal((await kept())[0]?.previous, null);

  await rotate(false);
  const last = await rotate(true);
  assert.equal(last?.previous, undefined);
  assertSigned(await next(), await secretOf(pharlo));
});

test('the secret is nowhere in clear, neither in the database nor in the log', async () => {
  await using sender = await startSender();
  const { pharlo, receiver, db } = sender;
  const secret = await secretOf(pharlo);
  receiver.answer = () => ({ status: 500, body: secret });
  await sender.cancelled();
  await eventually(() => receiver.received.length === 1);
  const tables = await db.query<{ name: string }>({
    text: `select tablename as name from pg_tables where schemaname = 'public'
           and has_table_privilege(format('%I.%I', schemaname, tablename), 'select')`,
    values: [],
  });
  assert.ok(tables.some(({ name }) => name === 'webhook_secrets') && tables.some(({ name }) => name === 'deliveries'));
  const dumped: string[] = [];
  for (const { name } of tables) {
    const rows = await db.query<{ row: string }>({ text: `select t::text as row from "${name}" t`, values: [] });
    dumped.push(...rows.map(({ row }) => row));
  }
  const bare = secret.slice('whsec_'.length);
  const forms = [bare, Buffer.from(bare, 'base64').toString('hex'), Buffer.from(secret).toString('hex')];
  const everything = dumped.join('\n') + pharlo.logs.join('\n');
  for (const form of forms) assert.ok(!everything.includes(form));
});

test('a secret that nobody can open any more is told as such until it is replaced', async () => {
  await using sender = await startSender();
  const { pharlo, receiver, db } = sender;
  const { deps } = pharlo.app;
  await secretOf(pharlo);
  await db.query({ text: `update webhook_secrets set secret = 'sealed by a lost key'::bytea`, values: [] });
  assert.equal(await readWebhookSecrets(deps, db, pharlo.workspaceId), undefined);
  await sender.cancelled();
  const tried = await untilDelivery(pharlo, '', ({ lastError }) => lastError !== undefined);
  assert.deepEqual([tried.lastError, receiver.received.length], ['secret_unreadable', 0]);
  await rotateWebhookSecrets(deps, db, pharlo.workspaceId, { now: false });
  await advance(pharlo, 6000);
  await untilDelivery(pharlo, '', ({ status }) => status === 'delivered');
  assertSigned(receiver.received[0] ?? assert.fail(), await secretOf(pharlo));
});
