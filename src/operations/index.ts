import type { Operation } from '../operation.ts';
import { getAssignment, listAssignments } from './assignments.ts';
import { listAuditEntries } from './audit.ts';
import { getBillingStatus, getUsage, listLedgerEntries } from './billing.ts';
import { cancelAssignment, retryAssignment, updateAssignment } from './change-assignment.ts';
import { deleteConnection, updateConnection } from './change-connection.ts';
import { getConnection, listConnections, refreshConnectionToken } from './connections.ts';
import { createAssignment } from './create-assignment.ts';
import { listGrants, revokeGrant } from './grants.ts';
import { getPlatformCapabilities, listPlatforms } from './platforms.ts';
import { getChannelStats, getPostStats, getStatsOverview } from './stats.ts';
import { checkOauthStatus, getOauthConnectUrl } from './tickets.ts';
import {
  getWebhookSecret,
  listWebhookDeliveries,
  redeliverWebhook,
  rotateWebhookSecret,
  testWebhook,
} from './webhooks.ts';

/** Every capability, in the order in which lists show them. */
export const operations: readonly Operation[] = [
  createAssignment,
  listAssignments,
  getAssignment,
  updateAssignment,
  retryAssignment,
  cancelAssignment,
  listConnections,
  getConnection,
  getChannelStats,
  updateConnection,
  refreshConnectionToken,
  deleteConnection,
  getOauthConnectUrl,
  checkOauthStatus,
  listPlatforms,
  getPlatformCapabilities,
  listWebhookDeliveries,
  redeliverWebhook,
  testWebhook,
  getWebhookSecret,
  rotateWebhookSecret,
  getPostStats,
  getStatsOverview,
  getBillingStatus,
  listLedgerEntries,
  getUsage,
  listAuditEntries,
  listGrants,
  revokeGrant,
];
