import { parseArgs } from 'node:util';
import { readWebhookSecrets, rotateWebhookSecrets } from '../callback.ts';
import { insertAudit } from '../store/audit.ts';
import { type Command, requireWorkspace, UsageError } from './command.ts';

/** `pharlo webhooks secret`: shows what signs a workspace's webhooks, or replaces it. */
export const webhooksCommand: Command = {
  name: 'webhooks',
  usage: ['webhooks secret [--workspace <slug>] [--rotate [--now]] [--json]'],
  async run(args, io, config) {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        workspace: { type: 'string', default: 'default' },
        rotate: { type: 'boolean', default: false },
        now: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
      },
    });
    if (positionals.join(' ') !== 'secret' || (values.now && !values.rotate)) throw new UsageError();
    await using opened = await io.openStore(config);
    const { db } = opened.store;
    const { id } = await requireWorkspace(db, values.workspace);
    const secrets = values.rotate
      ? await db.transaction(async (tx) => {
          await insertAudit(tx, { workspaceId: id, action: 'operator.rotate_webhook_secret', outcome: 'ok' });
          return rotateWebhookSecrets(opened, tx, id, { now: values.now });
        })
      : await readWebhookSecrets(opened, db, id);
    if (!secrets) {
      throw new UsageError('The secret was sealed with another PHARLO_SECRET_KEY; --rotate makes a new one.');
    }
    const { secret, previous } = secrets;
    const until = previous?.until.toISOString();
    const old = previous && { previousSecret: previous.secret, previousSecretUntil: until };
    if (values.json) return io.out(JSON.stringify({ secret, ...old }));
    io.out(secret);
    if (previous) io.out(`Until ${until} the one before signs too: ${previous.secret}`);
  },
};
