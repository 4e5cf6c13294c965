import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

const GLOBAL_IPV6: [ipaddr.IPv6, number] = [ipaddr.IPv6.parse('2000::'), 3];

/**
 * Whether an IP address belongs to the public internet: global unicast, with mapped IPv4 judged as IPv4.
 * IPv6 outside 2000::/3 is never global unicast (RFC 4291 §2.4), which also covers forms no list knows yet.
 */
export function isPublicAddress(address: string): boolean {
  // ipaddr.js also reads shorthand such as 10.1, which sockets would take for a name.
  if (isIP(address) === 0) return false;
  const parsed = ipaddr.process(address);
  if (parsed.range() !== 'unicast') return false;
  return parsed instanceof ipaddr.IPv4 || parsed.match(GLOBAL_IPV6);
}

/** Whether a host may be tried at all: a public literal, or a name other than localhost (RFC 6761). No DNS. */
export function mayBePublic(hostname: string): boolean {
  if (isIP(hostname) !== 0) return isPublicAddress(hostname);
  return !/(^|\.)localhost\.?$/i.test(hostname);
}

/** `[::1]` as URLs write it -> `::1` as sockets want it. */
export function withoutBrackets(hostname: string): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
}
