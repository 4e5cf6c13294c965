import { createCipheriv, createDecipheriv, createHash, hkdfSync } from 'node:crypto';
import type { Random } from './domain/ids.ts';

/** Seals secrets at rest and in transit through browsers: AES-256-GCM with a key id and authenticated context. */
export type Vault = {
  /** `context` names what is sealed and where, e.g. `connection:<id>:tokens`; opening with another one fails. */
  seal(context: string, plain: string): Buffer;
  /** The plain text, or undefined when the bytes, the key or the context are not the right ones. */
  open(context: string, sealed: Uint8Array): string | undefined;
  /** A vault whose key is this secret of 256 random bits: nobody but its holder can open what it seals. */
  under(secret: string): Vault;
};

const keyIdBytes = 4;
const nonceBytes = 12;
const tagBytes = 16;

/** `secrets`: 32 bytes each, the first one seals, all of them open (rotation with overlap). */
export function createVault(secrets: readonly Uint8Array[], random: Random): Vault {
  const keys = secrets.map((secret) => ({
    id: createHash('sha256').update('pharlo key id').update(secret).digest().subarray(0, keyIdBytes),
    key: Buffer.from(hkdfSync('sha256', secret, '', 'pharlo vault', 32)),
  }));
  const [current] = keys;
  if (!current) throw new Error('A vault needs a key.');
  return {
    seal(context, plain) {
      const nonce = random(nonceBytes);
      const cipher = createCipheriv('aes-256-gcm', current.key, nonce).setAAD(Buffer.from(context));
      const body = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]);
      return Buffer.concat([current.id, nonce, cipher.getAuthTag(), body]);
    },
    open(context, sealed) {
      const bytes = Buffer.from(sealed);
      const head = keyIdBytes + nonceBytes + tagBytes;
      const known = keys.find(({ id }) => bytes.subarray(0, keyIdBytes).equals(id));
      if (!known || bytes.length < head) return undefined;
      const decipher = createDecipheriv('aes-256-gcm', known.key, bytes.subarray(keyIdBytes, keyIdBytes + nonceBytes))
        .setAAD(Buffer.from(context))
        .setAuthTag(bytes.subarray(keyIdBytes + nonceBytes, head));
      try {
        return Buffer.concat([decipher.update(bytes.subarray(head)), decipher.final()]).toString('utf8');
      } catch {
        return undefined;
      }
    },
    under: (secret) =>
      createVault([Buffer.from(hkdfSync('sha256', secret, '', 'pharlo vault under a secret', 32))], random),
  };
}
