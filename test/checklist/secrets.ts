import assert from 'node:assert/strict';

/**
 * Every form a secret can be found in: raw, URL-encoded, hex, and base64 in both alphabets at each of the three offsets
 * it can have within a longer text; with and without its readable prefix, and as the bytes it was made of.
 */
function formsOf(secret: string): string[] {
  const body = secret.replace(/^(?:ds_live|mcp_[a-z]{2})_/, '');
  const wholes = [secret, body].map((text) => Buffer.from(text));
  const made = Buffer.from(body, 'base64url');
  return [
    secret,
    body,
    encodeURIComponent(secret),
    made.toString('hex'),
    ...wholes.flatMap((bytes) => [bytes.toString('hex'), bytes.toString('hex').toUpperCase(), ...encodings(bytes)]),
  ];
}

function encodings(bytes: Buffer): string[] {
  return [0, 1, 2].flatMap((offset) => {
    const text = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64');
    // The characters at both ends also depend on what stands beside the secret.
    const inner = text.slice(offset === 0 ? 0 : offset + 1, Math.floor(((offset + bytes.length) * 8) / 6));
    return [inner, inner.replaceAll('+', '-').replaceAll('/', '_')];
  });
}

/** Fails with the name of a secret that the text holds in any form. */
export function assertNowhere(text: string, secrets: Record<string, string>): void {
  for (const [name, secret] of Object.entries(secrets)) {
    assert.ok(secret.length >= 16, `${name} is long enough to be looked for`);
    for (const form of formsOf(secret)) assert.ok(!text.includes(form), `${name} as ${form}`);
  }
}
