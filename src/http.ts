/** Variables every Hono app of ours may rely on; set once at the outermost edge. */
export type HttpEnv = {
  Variables: {
    /** Where the request came from, for limits: an IPv4 address or the /64 of an IPv6 one. */
    network: string;
  };
};

/** Whether a form was sent by our own page. Browsers that know Sec-Fetch-Site tell it truly; others send Origin. */
export function isSameOrigin(headers: Headers, origin: string): boolean {
  const site = headers.get('sec-fetch-site');
  if (site !== null) return site === 'same-origin';
  const sender = headers.get('origin');
  return sender === null || sender === origin;
}
