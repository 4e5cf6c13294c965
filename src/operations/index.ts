import type { Operation } from '../operation.ts';
import { cancelAssignment, createAssignment, getAssignment, listAssignments } from './assignments.ts';
import { getConnection, listConnections, refreshConnectionToken } from './connections.ts';
import { getPlatformCapabilities, listPlatforms } from './platforms.ts';
import { checkOauthStatus, getOauthConnectUrl } from './tickets.ts';

/** Every capability, in the order in which lists show them. */
export const operations: readonly Operation[] = [
  createAssignment,
  listAssignments,
  getAssignment,
  cancelAssignment,
  listConnections,
  getConnection,
  refreshConnectionToken,
  getOauthConnectUrl,
  checkOauthStatus,
  listPlatforms,
  getPlatformCapabilities,
];
