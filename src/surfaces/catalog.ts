import type { Operation } from '../operation.ts';
import { operations } from '../operations/index.ts';
import { type Prompt, prompts } from './mcp-prompts.ts';
import { type Resource, resources } from './mcp-resources.ts';

/** Everything the doors serve. */
export type Catalog = {
  operations: readonly Operation[];
  prompts: readonly Prompt[];
  resources: readonly Resource[];
};

/** The product's own, and what a test puts beside it. */
export function createCatalog(extra: Partial<Catalog> = {}): Catalog {
  return {
    operations: [...operations, ...(extra.operations ?? [])],
    prompts: [...prompts, ...(extra.prompts ?? [])],
    resources: [...resources, ...(extra.resources ?? [])],
  };
}
