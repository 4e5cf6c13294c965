import { atRest, type Operation } from '../../src/operation.ts';
import { schemasOf } from '../../src/surfaces/schemas.ts';
import type { Input } from './doors.ts';
import type { Things } from './people.ts';

/** A good call of the owner. */
export type Case = {
  input: (things: Things) => Input;
  /** Where REST takes it otherwise. */
  rest?: (things: Things) => Input;
  /** The status the assignment must have for the call, which changes it. */
  needs?: 'pending' | 'failed';
};

const nothing: Case = { input: () => ({}) };
const assignment = (which: keyof Things): Case => ({ input: (things) => ({ assignmentId: things[which] }) });
const connection: Case = { input: ({ connectionId }) => ({ connectionId }) };

/** One good call of each operation, every id member of its input given; a new operation needs a line here. */
export const cases: Readonly<Record<string, Case>> = {
  create_assignment: {
    input: ({ connectionId, mediaUrl }) => ({ connectionId, mediaUrl, type: 'video', payload: { title: 'A title' } }),
  },
  list_assignments: { input: ({ connectionId, organizationId }) => ({ connectionId, organizationId }) },
  get_assignment: assignment('pendingId'),
  update_assignment: { input: ({ pendingId }) => ({ assignmentId: pendingId, payload: { title: 'Changed' } }) },
  retry_assignment: { ...assignment('failedId'), needs: 'failed' },
  cancel_assignment: { ...assignment('doomedId'), needs: 'pending' },
  list_connections: { input: ({ organizationId }) => ({ organizationId }) },
  get_connection: connection,
  get_channel_stats: connection,
  update_connection: { input: ({ connectionId }) => ({ connectionId, name: 'Renamed' }) },
  refresh_connection_token: connection,
  delete_connection: { input: ({ spareConnectionId }) => ({ connectionId: spareConnectionId }) },
  get_oauth_connect_url: {
    input: ({ connectionId, organizationId }) => ({ platform: 'youtube', connectionId, organizationId }),
  },
  check_oauth_status: { input: ({ ticketId }) => ({ ticketId }) },
  list_platforms: nothing,
  get_platform_capabilities: { input: () => ({ platform: 'youtube' }) },
  list_webhook_deliveries: {
    input: ({ pendingId, organizationId }) => ({ assignmentId: pendingId, organizationId }),
  },
  redeliver_webhook: { input: ({ deliveryId }) => ({ deliveryId }) },
  test_webhook: { input: () => ({ url: 'https://receiver.example/hook' }) },
  get_webhook_secret: nothing,
  rotate_webhook_secret: nothing,
  get_post_stats: {
    input: ({ publishedId }) => ({ assignmentId: publishedId }),
    rest: ({ publishedId, connectionId }) => ({ postId: publishedId, connectionId }),
  },
  get_stats_overview: { input: () => ({ groupBy: 'connection' }) },
  get_billing_status: nothing,
  list_ledger_entries: nothing,
  get_usage: { input: () => ({ groupBy: 'key' }) },
  list_audit_entries: nothing,
  list_grants: nothing,
  revoke_grant: { input: ({ grantId }) => ({ grantId }) },
};

/** What strangers try: the call of the owner, and the call with each id it can do without the others. */
export function attempts(op: Operation, door: 'rest' | 'mcp', things: Things): Input[] {
  const whole = inputOf(op, door, things);
  const required = (schemasOf(door === 'rest' ? atRest(op) : op).input.required as string[] | undefined) ?? [];
  const optional = idMembers(op, door).filter((name) => !required.includes(name));
  const alone = optional.map((kept) =>
    Object.fromEntries(Object.entries(whole).filter(([name]) => name === kept || !optional.includes(name))),
  );
  return optional.length > 1 ? [whole, ...alone] : [whole];
}

/** The members of an operation's input that name something, as the schema of that door has it. */
export function idMembers(op: Operation, door: 'rest' | 'mcp'): string[] {
  const { properties = {} } = schemasOf(door === 'rest' ? atRest(op) : op).input;
  return Object.entries(properties).flatMap(([name, { format }]) => (format === 'uuid' ? [name] : []));
}

export function inputOf(op: Operation, door: 'rest' | 'mcp', things: Things): Input {
  const found = cases[op.name];
  if (!found) throw new Error(`${op.name} has no isolation case.`);
  return (door === 'rest' ? (found.rest ?? found.input) : found.input)(things);
}
