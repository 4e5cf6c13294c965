const dayMs = 24 * 3_600_000;

const clock = new Intl.DateTimeFormat('en-US', {
  timeZone: 'America/Los_Angeles',
  hourCycle: 'h23',
  hour: 'numeric',
  minute: 'numeric',
  second: 'numeric',
});

/** Milliseconds since midnight by the clocks of Los Angeles. */
function timeOfDay(at: number): number {
  const part = Object.fromEntries(clock.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
  const { hour = 0, minute = 0, second = 0 } = part;
  return ((hour * 60 + minute) * 60 + second) * 1000 + (at % 1000);
}

/** Milliseconds until the next midnight Pacific time, when Google renews daily quotas; at least 1. */
export function untilPacificMidnight(now: number): number {
  const guess = now + dayMs - timeOfDay(now);
  // Where the clocks change before that midnight, the guess is an hour off: 01:00, or 23:00 of the same day.
  const off = timeOfDay(guess);
  return guess - now - off + (off > dayMs / 2 ? dayMs : 0);
}
