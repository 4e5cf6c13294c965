import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/**
 * Where a request came from, for limits: an IPv4 address or the /64 of an IPv6 one. `X-Forwarded-For` counts only when
 * the peer is a trusted proxy; then the last address that is none of them is the asker.
 */
export function networkOf(peer: string | undefined, forwarded: string | undefined, trusted: readonly string[]): string {
  const chain = [...(forwarded?.split(',') ?? []), peer ?? ''].map((text) => parse(text.trim()));
  const last = chain.pop();
  if (!last) return 'unknown';
  let asker: Address = last;
  while (isTrusted(asker, trusted)) {
    const before = chain.pop();
    if (!before) break;
    asker = before;
  }
  if (asker instanceof ipaddr.IPv4) return asker.toString();
  return `${asker.parts
    .slice(0, 4)
    .map((part) => part.toString(16))
    .join(':')}::/64`;
}

/** True when the peer itself is one of the trusted proxies, so that its other X-Forwarded-* headers count. */
export function isTrustedPeer(peer: string | undefined, trusted: readonly string[]): boolean {
  const address = parse(peer ?? '');
  return address !== undefined && isTrusted(address, trusted);
}

function parse(text: string): Address | undefined {
  return ipaddr.isValid(text) ? ipaddr.process(text) : undefined;
}

function isTrusted(address: Address, trusted: readonly string[]): boolean {
  return trusted.some((entry) => {
    const [base, bits] = ipaddr.isValidCIDR(entry) ? ipaddr.parseCIDR(entry) : [];
    return base !== undefined && bits !== undefined && base.kind() === address.kind() && address.match(base, bits);
  });
}
