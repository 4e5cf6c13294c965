/**
 * Server settings, given on the command line so that every release brings its own. They aim at a small idle footprint
 * (no I/O workers, no replication, no parallel plans) with full durability: fsync and synchronous_commit stay on.
 *
 * Logging: an error's text, detail or statement can quote stored values, so errors go to the client alone and the log
 * gets the server's own messages (LOG, FATAL, PANIC) without detail.
 */
export const serverSettings: Readonly<Record<string, string>> = {
  max_connections: '100',
  shared_buffers: '32MB',
  work_mem: '4MB',
  maintenance_work_mem: '32MB',
  jit: 'off',
  max_parallel_workers_per_gather: '0',
  max_parallel_maintenance_workers: '0',
  autovacuum_max_workers: '2',
  io_method: 'sync',
  huge_pages: 'off',
  wal_level: 'minimal',
  max_wal_senders: '0',
  max_logical_replication_workers: '0',
  min_wal_size: '32MB',
  max_wal_size: '256MB',
  ssl: 'off',
  password_encryption: 'scram-sha-256',
  unix_socket_permissions: '0700',
  TimeZone: 'UTC',
  log_timezone: 'UTC',
  log_min_messages: 'log',
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
  log_statement: 'none',
  log_parameter_max_length: '0',
  log_parameter_max_length_on_error: '0',
  log_checkpoints: 'off',
};
