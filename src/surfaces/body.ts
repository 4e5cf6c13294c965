import { DomainError } from '../domain/errors.ts';

const maxBytes = 1024 * 1024;

/**
 * The text of a JSON request body, at most 1 MiB. Throws `body_too_large`, `malformed_json` for what is no UTF-8, and
 * `call_cancelled` when the caller went away before the end.
 */
export async function readText(request: Request): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const part of request.body ?? []) {
      size += part.length;
      if (size > maxBytes) throw new DomainError('body_too_large', 'A request body may have at most 1 MiB.');
      parts.push(part);
    }
  } catch (error) {
    if (error instanceof DomainError) throw error;
    throw new DomainError('call_cancelled', 'The connection was closed before the body had come.');
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(parts));
  } catch {
    throw malformed();
  }
}

export function isJson(request: Request): boolean {
  const type = request.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase();
  return type === 'application/json';
}

/** Parses JSON text; throws `malformed_json`. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw malformed();
  }
}

const malformed = () => new DomainError('malformed_json', 'The request body is not valid JSON.');
