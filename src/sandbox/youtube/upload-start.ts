import type { Context } from 'hono';
import type { SandboxContext } from '../context.ts';
import { readText, sha256 } from '../http.ts';
import { requireChannel } from './bearer.ts';
import { randomId } from './channel.ts';
import { badRequest, GoogleError, parseParts } from './errors.ts';
import { parseMetadata } from './metadata.ts';
import { uploadScopes } from './scopes.ts';
import { videoParts } from './video.ts';

export const uploadPath = '/upload/youtube/v3/videos';
export const maxVideoBytes = 256 * 1024 ** 3;
const sessionLifetimeMs = 7 * 24 * 3_600_000;

function declaredBytes(header: string | undefined): number | null {
  if (header === undefined) return null;
  const bytes = /^\d{1,15}$/.test(header) ? Number(header) : Number.NaN;
  if (!(bytes <= maxVideoBytes)) throw badRequest('badRequest', 'Invalid X-Upload-Content-Length.');
  return bytes;
}

/** Slug is percent-encoded UTF-8 (RFC 5023 section 9.7). */
function fileName(header: string | undefined): string | null {
  if (header === undefined) return null;
  try {
    return decodeURIComponent(header).slice(0, 255);
  } catch {
    throw badRequest('invalidFilename', 'The video filename specified in the Slug header is invalid.', {
      domain: 'youtube.video',
    });
  }
}

/** POST: checks the metadata and opens a resumable session. No video exists before its last byte. */
export async function startUpload(context: SandboxContext, c: Context): Promise<Response> {
  const channel = requireChannel(context, c, uploadScopes);
  if (c.req.query('uploadType') !== 'resumable') {
    throw badRequest('badRequest', 'The sandbox speaks resumable uploads only: uploadType=resumable.');
  }
  const parts = parseParts(c.req.query('part'), videoParts);
  const metadataType = c.req.header('Content-Type');
  if (metadataType !== undefined && !/^application\/json\s*(;|$)/i.test(metadataType)) {
    throw badRequest('badContent', 'Unsupported content with this type of metadata. Use application/json.');
  }
  const mediaType = c.req.header('X-Upload-Content-Type');
  if (mediaType !== undefined && !/^(video\/.+|application\/octet-stream)$/i.test(mediaType)) {
    throw badRequest(
      'badContent',
      'Media type is not supported. Valid media types: [application/octet-stream, video/*]',
    );
  }
  const total = declaredBytes(c.req.header('X-Upload-Content-Length'));
  const slug = fileName(c.req.header('Slug'));
  const text = await readText(c.req.raw);
  if (text === undefined) throw new GoogleError(413, 'uploadTooLarge', 'The request metadata is too large.');
  const metadata = parseMetadata(text, parts);

  const uploadId = randomId(context, 48);
  context.store.run(
    `INSERT INTO uploadSession (hash, channelId, file, metadata, parts, slug, total, expiresAt)
     VALUES ($hash, $channelId, $file, $metadata, $parts, $slug, $total, $expiresAt)`,
    {
      hash: sha256(uploadId),
      channelId: channel.id,
      file: Buffer.from(context.random(16)).toString('hex'),
      metadata: JSON.stringify(metadata),
      parts: [...parts].join(','),
      slug,
      total,
      expiresAt: context.now() + sessionLifetimeMs,
    },
  );
  const location = `${context.origin}/youtube${uploadPath}?uploadType=resumable&upload_id=${uploadId}`;
  return c.body(null, 200, { Location: location, 'X-GUploader-UploadID': uploadId });
}
