import { createHash } from 'node:crypto';
import { z } from 'zod';
import { callbackProblem } from '../callback.ts';
import type { Deps } from '../deps.ts';
import { type ContentType, contentTypes, type Media } from '../domain/assignment.ts';
import { DomainError, invalid } from '../domain/errors.ts';
import { canonicalJson } from '../domain/json.ts';
import { scheduleProblem } from '../domain/schedule.ts';
import { probeMedia } from '../media.ts';
import { parseInput } from '../operation.ts';
import type { ContentSpec } from '../platforms/contract.ts';
import { findRecentTwin } from '../store/assignments.ts';
import type { ConnectionRow } from '../store/connections.ts';
import type { Queryable } from '../store/db.ts';
import { instant, isStorable, text, toDate, unstorable } from './fields.ts';

/** Input fields of what is to be posted. */
export const contentFields = {
  type: z.enum(contentTypes, `must be one of ${contentTypes.join(', ')}`).meta({ description: 'Content type.' }),
  payload: z
    .record(z.string(), z.unknown(), 'must be an object')
    .refine(isStorable, `${unstorable}, nor more than 32 levels`)
    .meta({
      description:
        "The platform's fields of that type, as get_platform_capabilities tells; an object, or its JSON as text.",
    }),
  mediaUrl: text('Public http(s) URL of the file; it is fetched when the post is published.', 4000),
  scheduledAt: instant('When to publish, with offset, within a year.'),
  callbackUrl: text('https URL that is told of every change of status.', 2000),
};

/** Throws why nothing can be published on this channel now. */
export function assertUsable(connection: ConnectionRow): void {
  if (!connection.isActive) throw new DomainError('connection_inactive', 'This connection is switched off.');
  if (connection.tokenRevokedAt || !connection.tokens) {
    throw new DomainError('reconnect_required', 'This channel must be connected again before it can publish.');
  }
}

/** What the channel's platform accepts of that type. Throws `platform_unconfigured` and `type_unsupported`. */
export function contentSpec(deps: Deps, platform: string, type: ContentType): ContentSpec {
  const connector = deps.platforms.find(platform);
  if (!connector) throw new DomainError('platform_unconfigured', 'This platform is not configured on this server.');
  const spec = connector.content[type];
  if (spec) return spec;
  const offered = Object.keys(connector.content).join(', ');
  throw new DomainError('type_unsupported', `${connector.name} takes ${offered}, not ${type}.`);
}

/** The payload as it is stored, defaults filled in. Throws `validation_failed` by field. */
export function parsePayload(spec: ContentSpec, payload: unknown): Record<string, unknown> {
  return parseInput(z.object({ payload: spec.payload }), { payload }).payload;
}

/** Throws `validation_failed` unless it lies in the coming year. */
export function parseSchedule(deps: Deps, scheduledAt: string): Date {
  const at = toDate(scheduledAt);
  const problem = scheduleProblem(at.getTime(), deps.now());
  if (problem) throw invalid({ scheduledAt: [problem] });
  return at;
}

/** Throws `validation_failed` for a URL that deliveries would never be sent to. */
export function assertCallback(deps: Deps, url: string | null | undefined): void {
  const problem = url && callbackProblem(deps.config, url);
  if (problem) throw invalid({ callbackUrl: [problem] });
}

export type GivenMedia = {
  mediaUrl?: string | undefined;
  mediaContentType?: string | undefined;
  mediaSizeBytes?: number | undefined;
};

/** The files of a post as they are stored; looks at the first bytes behind the URL. Throws by field. */
export async function readMedia(
  deps: Deps,
  given: GivenMedia,
  { spec, type, sandbox, signal }: { spec: ContentSpec; type: ContentType; sandbox: boolean; signal: AbortSignal },
): Promise<Media[]> {
  const rules = spec.media;
  if (given.mediaUrl === undefined) {
    if (rules && rules.min > 0) throw invalid({ mediaUrl: [`is required for the type ${type}`] });
    return [];
  }
  if (!rules) throw invalid({ mediaUrl: [`is not used by the type ${type}`] });
  if (given.mediaSizeBytes !== undefined && given.mediaSizeBytes > rules.maxBytes) {
    throw invalid({ mediaSizeBytes: [`must be at most ${rules.maxBytes}`] });
  }
  if (given.mediaContentType !== undefined && !rules.contentTypes.includes(given.mediaContentType)) {
    throw invalid({ mediaContentType: [`must be one of ${rules.contentTypes.join(', ')}`] });
  }
  const found = await probeMedia(deps, { url: given.mediaUrl, sandbox }, rules, signal);
  if ('code' in found) {
    throw new DomainError(found.code, `The media ${found.message}.`, { details: { mediaUrl: [found.message] } });
  }
  return [{ url: given.mediaUrl, contentType: found.contentType }];
}

/** Equal for equal posts, whatever their time and ids. */
export function hashContent(content: { type: ContentType; payload: unknown; media: readonly Media[] }): Buffer {
  const { type, payload, media } = content;
  const meant = { type, payload, media: media.map(({ url }) => url) };
  return createHash('sha256').update(canonicalJson(meant)).digest();
}

export type Warning = { code: string; message: string };

/** Told, not refused: the same post stands on this channel since less than a day. */
export async function duplicateWarnings(
  on: Queryable,
  connection: { workspaceId: string; connectionId: string },
  contentHash: Buffer,
  exceptId?: string,
): Promise<Warning[]> {
  const twin = await findRecentTwin(on, connection, contentHash, exceptId);
  if (!twin) return [];
  const message = `The same content was given to this channel within 24 hours, as assignment ${twin}.`;
  return [{ code: 'duplicate_content', message }];
}
