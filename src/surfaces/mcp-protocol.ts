import {
  type Implementation,
  type JSONRPCRequest,
  ProtocolError,
  ProtocolErrorCode,
  type Result,
  Server,
  type ServerContext,
  type ServerOptions,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { Deps } from '../deps.ts';
import { publicError } from './errors.ts';

type Handler = (request: JSONRPCRequest, context: ServerContext) => Promise<Result>;

/** The protocol's server, with our own words where it would quote its schema library or a failure of ours. */
export class PlainServer extends Server {
  private readonly deps: Deps;

  constructor(deps: Deps, info: Implementation, options: ServerOptions) {
    super(info, options);
    this.deps = deps;
  }

  protected override _wrapHandler(method: string, handler: Handler): Handler {
    const inner = super._wrapHandler(method, handler);
    return async (request, context) => {
      try {
        return await inner(request, context);
      } catch (failure) {
        throw this.plain(method, failure);
      }
    };
  }

  private plain(method: string, failure: unknown): unknown {
    const fields = failure instanceof Error ? fieldsOf(failure.message) : undefined;
    if (fields) {
      const text = `The parameters of ${method} are not valid: ${fields.join(', ')}.`;
      return new ProtocolError(ProtocolErrorCode.InvalidParams, text);
    }
    if (failure instanceof ProtocolError) return failure;
    return new ProtocolError(
      ProtocolErrorCode.InternalError,
      publicError(this.deps, failure, { operation: method }).error.message,
    );
  }
}

const issues = z.array(z.looseObject({ path: z.array(z.union([z.string(), z.number()])) })).min(1);

/** The fields a refusal of the schema library names, which is a list of issues in JSON; undefined for any other text. */
function fieldsOf(message: string): string[] | undefined {
  const start = message.indexOf('[');
  if (start < 0) return undefined;
  try {
    const found = issues.parse(JSON.parse(message.slice(start)));
    return [...new Set(found.map(({ path }) => path.join('.')))];
  } catch {
    return undefined;
  }
}
