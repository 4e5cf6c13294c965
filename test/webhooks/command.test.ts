import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCommand } from '../command.ts';
import { assertSigned, hexOf, startSender, untilDelivery } from './receiver.ts';

test('an operator sees the secret that signs, and replaces it, beside a running server', async () => {
  await using sender = await startSender();
  const { pharlo, receiver, db } = sender;
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await runCommand(['webhooks', 'secret', ...args], pharlo.environment);
    assert.deepEqual([code, stderr], [0, '']);
    return stdout;
  };
  const told = async (): Promise<void> => {
    const { body } = await pharlo.rest('POST', '/webhooks/test', { url: receiver.url });
    await untilDelivery(pharlo, '', ({ id, status }) => id === body.id && status === 'delivered');
  };
  const secret = (await run()).trim();
  assert.deepEqual(JSON.parse(await run('--json', '--workspace', 'default')), { secret });
  await told();
  assertSigned(receiver.received[0] ?? assert.fail(), secret);

  const rotated = JSON.parse(await run('--rotate', '--json'));
  assert.equal(rotated.previousSecret, secret);
  const until = rotated.previousSecretUntil;
  assert.equal(await run(), `${rotated.secret}\nUntil ${until} the one before signs too: ${secret}\n`);
  await told();
  const [, both] = receiver.received;
  assert.equal(both?.headers['x-webhook-signature'], hexOf(rotated.secret, both?.text ?? ''));
  const last = JSON.parse(await run('--rotate', '--now', '--json'));
  assert.deepEqual(Object.keys(last), ['secret']);
  assert.ok(![secret, rotated.secret].includes(last.secret));
  const audit = await db.query({
    text: `select 1 from audit where action = 'operator.rotate_webhook_secret' and workspace_id = $1`,
    values: [pharlo.workspaceId],
  });
  assert.equal(audit.length, 2);
});

test('what the command refuses', async () => {
  await using sender = await startSender({ work: false });
  for (const args of [
    ['secret', '--now'],
    ['secret', '--workspace', 'nowhere'],
  ]) {
    const { code, stdout, stderr } = await runCommand(['webhooks', ...args], sender.pharlo.environment);
    assert.deepEqual([code, stdout], [1, ''], args.join(' '));
    assert.match(stderr, args.includes('nowhere') ? /no workspace "nowhere"/ : /^Usage:[\s\S]*pharlo webhooks secret/);
  }
});
