type Details = {
  domain?: string;
  location?: string;
  locationType?: 'parameter' | 'header';
  status?: string;
  challenge?: string;
};

/** An error in the JSON shape of the Google APIs. */
export class GoogleError extends Error {
  readonly code: 400 | 401 | 403 | 404 | 410 | 413 | 500;
  readonly reason: string;
  readonly details: Details;

  constructor(code: GoogleError['code'], reason: string, message: string, details: Details = {}) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.details = details;
  }

  toResponse(): Response {
    const { domain = 'global', location, locationType, status, challenge } = this.details;
    const entry = { message: this.message, domain, reason: this.reason, ...(location && { location, locationType }) };
    const body = { error: { code: this.code, message: this.message, errors: [entry], ...(status && { status }) } };
    const headers = new Headers();
    if (challenge) headers.set('WWW-Authenticate', `Bearer realm="https://accounts.google.com/", ${challenge}`);
    return Response.json(body, { status: this.code, headers });
  }
}

export function badRequest(reason: string, message: string, details: Details = {}): GoogleError {
  return new GoogleError(400, reason, message, details);
}

/** The requested parts, when each is one of `known`; Google refuses a request that names none. */
export function parseParts(value: string | undefined, known: readonly string[]): Set<string> {
  const location = { location: 'part', locationType: 'parameter' } as const;
  const parts = (value ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean);
  if (parts.length === 0)
    throw badRequest('missingRequiredParameter', 'No filter selected. Expected one of: part', location);
  const stranger = parts.find((part) => !known.includes(part));
  if (stranger) throw badRequest('unknownPart', stranger.slice(0, 100), { domain: 'youtube.part', ...location });
  return new Set(parts);
}
