import { OAuthError, type OAuthErrorCode } from './errors.ts';

const maxBytes = 16 * 1024;

/** The parameters of a query or a form. An empty one counts as absent (RFC 6749 §3.1). */
export type Fields = {
  get(name: string): string | undefined;
  all(name: string): string[];
  /** Names that came more than once. */
  repeated: ReadonlySet<string>;
};

export function readFields(parameters: URLSearchParams): Fields {
  const seen = new Set<string>();
  const repeated = new Set<string>();
  for (const name of parameters.keys()) (seen.has(name) ? repeated : seen).add(name);
  return {
    get: (name) => parameters.get(name) || undefined,
    all: (name) => parameters.getAll(name).filter(Boolean),
    repeated,
  };
}

/** Throws `invalid_request` when a parameter that may come only once was repeated. */
export function refuseRepeated(fields: Fields, repeatable: readonly string[]): void {
  if ([...fields.repeated].some((name) => !repeatable.includes(name))) {
    throw new OAuthError('invalid_request', 'A parameter was sent more than once.');
  }
}

/** Reads a form body. Throws `invalid_request` for another type (400, RFC 6749 §5.2) or more than 16 KB (413). */
export async function readForm(request: Request): Promise<Fields> {
  const text = await readBody(request, 'application/x-www-form-urlencoded', 'invalid_request');
  return readFields(new URLSearchParams(text));
}

/** Reads a JSON body. Throws `invalid_client_metadata` with 415, 413 or 400. */
export async function readJson(request: Request): Promise<unknown> {
  const text = await readBody(request, 'application/json', 'invalid_client_metadata');
  try {
    return JSON.parse(text);
  } catch {
    throw new OAuthError('invalid_client_metadata', 'The body is not JSON.');
  }
}

async function readBody(request: Request, type: string, code: OAuthErrorCode): Promise<string> {
  const sent = request.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase();
  const status = code === 'invalid_request' ? 400 : 415;
  if (sent !== type) throw new OAuthError(code, `The content type must be ${type}.`, { status });
  const tooLarge = () => new OAuthError(code, 'The body must not exceed 16 KB.', { status: 413 });
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of request.body ?? []) {
      length += chunk.byteLength;
      if (length > maxBytes) throw tooLarge();
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof OAuthError) throw error;
    throw new OAuthError(code, 'The body has not come whole.');
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    throw new OAuthError(code, 'The body is not UTF-8.');
  }
}
