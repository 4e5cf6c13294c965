import { parseArgs } from 'node:util';
import { isUuid } from '../domain/ids.ts';
import { insertAudit } from '../store/audit.ts';
import { listGrants } from '../store/lists.ts';
import { endGrant } from '../store/oauth-grants.ts';
import { type Command, requireWorkspace, UsageError } from './command.ts';

const shown = 1000;

/** `pharlo grants list|revoke`: what was consented to, and its end. */
export const grantsCommand: Command = {
  name: 'grants',
  usage: ['grants list [--workspace <slug>] [--json]', 'grants revoke <id> [--workspace <slug>] [--json]'],
  async run(args, io, config) {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { workspace: { type: 'string', default: 'default' }, json: { type: 'boolean', default: false } },
    });
    const [action, id = ''] = positionals;
    if (action !== 'list' && action !== 'revoke') throw new UsageError();
    await using opened = await io.openStore(config);
    const { db } = opened.store;
    const { id: workspaceId } = await requireWorkspace(db, values.workspace);
    if (action === 'list') {
      const { rows } = await listGrants(db, { workspaceId }, { limit: shown, offset: 0 });
      if (values.json) return io.out(JSON.stringify({ items: rows }));
      for (const one of rows) {
        io.out(`${one.id}  ${one.isActive ? 'live' : 'ended'}  ${one.clientName}  ${one.redirectHost}`);
      }
      return;
    }
    const done =
      isUuid(id) &&
      (await db.transaction(async (tx) => {
        const ended = await endGrant(tx, { workspaceId }, id, 'operator');
        const entry = { workspaceId, grantId: id, action: 'operator.revoke_grant', outcome: 'ok', target: id };
        if (ended) await insertAudit(tx, entry);
        return ended;
      }));
    if (!done) throw new UsageError('There is no live grant of that id.');
    io.out(values.json ? JSON.stringify({ id, state: 'revoked' }) : `Revoked ${id}.`);
  },
};
