/** Fields a log line may carry. Anything else, paths, queries and bodies above all, has no place in a log. */
export type LogFields = {
  route?: string;
  method?: string;
  status?: number;
  ms?: number;
  job?: string;
  id?: string;
  operation?: string;
  code?: string;
  incident?: string;
  count?: number;
};

export type Log = {
  info(event: string, fields?: LogFields): void;
  /** Of an error only its name, its code and the frames of its stack are kept: messages may quote secrets. */
  error(event: string, error: unknown, fields?: LogFields): void;
};

/** One JSON line per event. `write` gets the line without a line end. */
export function createLog(write: (line: string) => void, now: () => number): Log {
  const line = (level: string, event: string, fields: object) =>
    write(JSON.stringify({ at: new Date(now()).toISOString(), level, event, ...fields }));
  return {
    info: (event, fields = {}) => line('info', event, fields),
    error: (event, error, fields = {}) => line('error', event, { ...fields, ...describe(error) }),
  };
}

function describe(error: unknown): object {
  if (!(error instanceof Error)) return { error: typeof error };
  const code = 'code' in error && typeof error.code === 'string' ? { errorCode: error.code } : {};
  const frames = (error.stack ?? '').split('\n').filter((text) => text.startsWith('    at '));
  return { error: error.name, ...code, stack: frames.slice(0, 8).map((text) => text.trim()) };
}
