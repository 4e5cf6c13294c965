/** What a person does on the consent page of the sandbox; left out: allows everything for the first channel. */
export type Decision = { deny?: boolean; channel?: number; untick?: string };

/** A browser as far as connecting a channel needs one: it keeps cookies per origin and follows nothing by itself. */
export class Person {
  readonly #cookies = new Map<string, Map<string, string>>();

  async get(url: string): Promise<Response> {
    return this.#send(url, {});
  }

  async post(url: string, form: [string, string][], headers: Record<string, string> = {}): Promise<Response> {
    return this.#send(url, { method: 'POST', body: new URLSearchParams(form), headers });
  }

  /** Opens the link and presses Continue; answers the address of the platform's consent page. */
  async goOn(link: string): Promise<string> {
    const page = await (await this.get(link)).text();
    const ticket = /name="ticket" value="([^"]+)"/.exec(page)?.[1];
    if (ticket === undefined) throw new Error('This is no page of a live ticket.');
    const response = await this.post(link, [['ticket', ticket]]);
    return locationOf(response);
  }

  /** Decides on the sandbox's consent page; answers the address the platform sends the browser back to. */
  async decide(consentUrl: string, { deny, channel = 0, untick }: Decision = {}): Promise<string> {
    const page = await (await this.get(consentUrl)).text();
    const request = /name="request" value="([^"]+)"/.exec(page)?.[1] ?? '';
    const channels = [...page.matchAll(/name="channel" value="(UC[^"]+)"/g)].map(([, id]) => id ?? '');
    const scopes = [...page.matchAll(/name="scope" value="([^"]+)"/g)].map(([, scope]) => scope ?? '');
    const ticked = scopes.filter((scope) => untick === undefined || !scope.endsWith(untick));
    const form: [string, string][] = [
      ['request', request],
      ['channel', channels[channel] ?? ''],
      ...ticked.map((scope): [string, string] => ['scope', scope]),
      ['decision', deny ? 'deny' : 'allow'],
    ];
    return locationOf(await this.post(consentUrl.split('?')[0] ?? '', form));
  }

  /** The whole way; answers what our callback said. */
  async connect(link: string, decision?: Decision): Promise<Response> {
    return this.get(await this.decide(await this.goOn(link), decision));
  }

  async #send(url: string, init: RequestInit & { headers?: Record<string, string> }): Promise<Response> {
    const jar = this.#jar(url);
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const headers = { ...(cookie && { cookie }), ...init.headers };
    const response = await fetch(url, { ...init, headers, redirect: 'manual' });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (name !== undefined && value !== undefined) jar.set(name, value);
    }
    return response;
  }

  #jar(url: string): Map<string, string> {
    const { origin } = new URL(url);
    const jar = this.#cookies.get(origin) ?? new Map<string, string>();
    this.#cookies.set(origin, jar);
    return jar;
  }
}

/** Where a redirect leads. */
export function locationOf(response: Response): string {
  const location = response.headers.get('location');
  if (response.status !== 302 || location === null) throw new Error(`No redirect but status ${response.status}.`);
  return location;
}
