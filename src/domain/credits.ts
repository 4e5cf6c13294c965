import type { Via } from './caller.ts';

export type Tier = 'FREE' | 'READ' | 'WRITE' | 'PLATFORM';

/** Hundredths of a credit, so that the MCP surcharge of one fifth stays exact. */
export type Hundredths = number;

const restPrices: Record<Tier, Hundredths> = { FREE: 0, READ: 100, WRITE: 200, PLATFORM: 300 };

/** The price of one call. MCP costs 1.2 × REST, always; a console session reads free. */
export function price(tier: Tier, via: Via): Hundredths {
  const rest = restPrices[tier];
  if (via === 'mcp') return (rest * 12) / 10;
  if (via === 'console' && tier === 'READ') return 0;
  return rest;
}

/** Credits as the outside sees them: a number with at most two decimals. */
export function toCredits(amount: Hundredths): number {
  return amount / 100;
}
