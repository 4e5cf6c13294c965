/** What a capability may say to a conversation and ask of it, in the words of MCP. */

export type Content =
  | { type: 'image' | 'audio'; data: string; mimeType: string }
  | { type: 'resource'; resource: { uri: string; mimeType: string } & ({ text: string } | { blob: string }) };

/** A request that a client answers for its user. */
export type Question = {
  method: 'elicitation/create' | 'sampling/createMessage' | 'roots/list';
  params?: Record<string, unknown>;
};

export type Round = {
  /** The arguments, which no round may change. */
  given: Record<string, unknown>;
  /** What the client says it can be asked. */
  capabilities: Record<string, unknown>;
  /** The answers by the names of the questions; undefined when nothing has been answered yet. */
  responses: Record<string, unknown> | undefined;
  /** What the round before kept; undefined when it kept nothing or there was none. */
  kept: unknown;
};

/** Either more questions, or the arguments to go on with. What is kept travels sealed and counts once. */
export type NextRound = { ask: Record<string, Question>; keep?: unknown } | { given: Record<string, unknown> };

/** Asks the client before a call runs, round by round; nothing is charged meanwhile. */
export type Ask = (round: Round) => NextRound;
