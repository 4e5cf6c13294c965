/** What one check found, and what to do about it. Never holds a secret, nor what somebody else's program said. */
export type Finding = { check: string; state: 'ok' | 'warning' | 'failure'; text: string };

/** Says what a check found, under its name. */
export type Told = Record<Finding['state'], (text: string) => Finding>;

export function about(check: string): Told {
  const tell = (state: Finding['state']) => (text: string) => ({ check, state, text });
  return { ok: tell('ok'), warning: tell('warning'), failure: tell('failure') };
}

/** `one of them` or `5 of them`. */
export function several(count: number, one: string, many: string): string {
  return count === 1 ? `1 ${one}` : `${count} ${many}`;
}
