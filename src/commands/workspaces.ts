import { parseArgs } from 'node:util';
import { newId } from '../domain/ids.ts';
import { insertAudit } from '../store/audit.ts';
import { insertWorkspace, listWorkspaces, setWorkspaceStatus } from '../store/workspaces.ts';
import { type Command, requireWorkspace, UsageError } from './command.ts';

const slugPattern = /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/;

/** `pharlo workspaces create|list|suspend|resume`. */
export const workspacesCommand: Command = {
  name: 'workspaces',
  usage: [
    'workspaces create <slug> [--name <text>] [--plan <slug>] [--json]',
    'workspaces list [--json]',
    'workspaces suspend <slug> [--json]',
    'workspaces resume <slug> [--json]',
  ],
  async run(args, io, config) {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        name: { type: 'string' },
        plan: { type: 'string', default: config.defaultPlan },
        json: { type: 'boolean', default: false },
      },
    });
    const [action, slug = ''] = positionals;
    if (!['create', 'list', 'suspend', 'resume'].includes(action ?? '')) throw new UsageError();
    const tell = (value: object, line: string) => io.out(values.json ? JSON.stringify(value) : line);
    await using opened = await io.openStore(config);
    const { db } = opened.store;
    if (action === 'list') {
      const items = await listWorkspaces(db);
      if (values.json) return tell({ items }, '');
      for (const one of items) io.out(`${one.id}  ${one.slug}  ${one.status}  ${one.plan}  ${one.name}`);
      return;
    }
    if (action === 'create') {
      if (!slugPattern.test(slug)) {
        throw new UsageError('The slug must be 1 to 40 lower-case letters, digits and hyphens.');
      }
      if (!config.plans.some((plan) => plan.slug === values.plan)) {
        throw new UsageError(`--plan must be one of ${config.plans.map((plan) => plan.slug).join(', ')}.`);
      }
      const id = newId(opened.now(), opened.random);
      const organizationId = newId(opened.now(), opened.random);
      const workspace = { id, organizationId, slug, name: values.name ?? slug, plan: values.plan };
      const made = await db.transaction(async (tx) => {
        const done = await insertWorkspace(tx, workspace);
        if (done)
          await insertAudit(tx, { workspaceId: id, action: 'operator.create_workspace', outcome: 'ok', target: id });
        return done;
      });
      if (!made) throw new UsageError(`There already is a workspace "${slug}".`);
      return tell({ id, slug, organizationId }, `Made the workspace ${slug} (${id}).`);
    }
    const workspace = await requireWorkspace(db, slug);
    const status = action === 'suspend' ? 'suspended' : 'active';
    await db.transaction(async (tx) => {
      await setWorkspaceStatus(tx, workspace.id, status);
      const { id } = workspace;
      await insertAudit(tx, { workspaceId: id, action: `operator.${action}_workspace`, outcome: 'ok', target: id });
    });
    tell({ id: workspace.id, slug, status }, `${slug} is ${status}.`);
  },
};
