import { createHash } from 'node:crypto';

/** Cryptographically strong bytes; injected so that tests can fix them. */
export type Random = (bytes: number) => Uint8Array;

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export function isUuid(text: string): boolean {
  return uuidPattern.test(text);
}

/** A time-ordered UUID (version 7, RFC 9562 §5.7): neighbours in time are neighbours in the index. `now` is epoch ms. */
export function newId(now: number, random: Random): string {
  const bytes = Buffer.from(random(16));
  bytes.writeUIntBE(now, 0, 6);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x70, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** A 256-bit secret with a readable prefix, e.g. `mcp_at_…`. */
export function newSecret(prefix: string, random: Random): string {
  return prefix + Buffer.from(random(32)).toString('base64url');
}

/** An API key: `ds_live_` and 32 characters (192 bits). */
export function newApiKey(random: Random): string {
  return `ds_live_${Buffer.from(random(24)).toString('base64url')}`;
}

/** What is stored instead of a secret: SHA-256 of a random value needs no salt. */
export function hashSecret(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
