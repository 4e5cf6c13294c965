import { named, type Queryable } from './db.ts';
import { keyPeriodSeconds } from './oauth-keys.ts';

const statements = [
  named<[], never>('sweep_tickets', `delete from connect_tickets where expires_at < pharlo_now() - interval '7 days'`),
  named<[], never>('sweep_codes', `delete from oauth_codes where expires_at < pharlo_now() - interval '1 day'`),
  named<[], never>(
    'sweep_successors',
    `update oauth_tokens set successor = null
     where successor is not null and rotated_at < pharlo_now() - interval '30 seconds'`,
  ),
  named<[], never>('sweep_tokens', `delete from oauth_tokens where expires_at < pharlo_now() - interval '90 days'`),
  named<[], never>(
    'sweep_clients',
    `delete from oauth_clients c
     where c.created_at < pharlo_now() - interval '90 days' and c.last_code_at is null
       and not exists (select 1 from oauth_grants g where g.client_id = c.id)`,
  ),
  named<[], never>(
    'sweep_signing_keys',
    `delete from oauth_signing_keys
     where period < floor(extract(epoch from pharlo_now()) / ${keyPeriodSeconds}) - 1`,
  ),
  named<[], never>(
    'sweep_deliveries',
    `delete from deliveries where status <> 'pending' and created_at < pharlo_now() - interval '90 days'`,
  ),
  named<[], never>(
    'sweep_webhook_secrets',
    `update webhook_secrets set previous = null, previous_until = null
     where previous is not null and previous_until < pharlo_now()`,
  ),
  named<[], never>('sweep_strangers', `delete from audit_strangers where minute < pharlo_now() - interval '90 days'`),
  named<[], never>('sweep_rate_limits', `delete from rate_limits where empty_at < pharlo_now()`),
];

/** Deletes what is over: each table by its own retention. Safe on several replicas at once. */
export async function sweepExpired(on: Queryable): Promise<void> {
  for (const statement of statements) await statement(on);
}
