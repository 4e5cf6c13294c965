import { z } from 'zod';
import type { Ask, Question, Round } from '../../src/domain/conversation.ts';
import type { Operation } from '../../src/operation.ts';
import type { Prompt } from '../../src/surfaces/mcp-prompts.ts';
import { fixture } from './fixture.ts';

const elicit = (message: string, name: string, type: 'string' | 'boolean' = 'string'): Question => ({
  method: 'elicitation/create',
  params: { message, requestedSchema: { type: 'object', properties: { [name]: { type } }, required: [name] } },
});

const sample = (text: string): Question => ({
  method: 'sampling/createMessage',
  params: { messages: [{ role: 'user', content: { type: 'text', text } }], maxTokens: 100 },
});

const roots: Question = { method: 'roots/list', params: {} };

const form = z.object({ action: z.literal('accept'), content: z.record(z.string(), z.unknown()) });
const said = z.object({ content: z.object({ text: z.string() }) });
const listed = z.object({ roots: z.array(z.object({ uri: z.string() })) });

/** What a person filled in, or undefined when that is no answer. */
function filledIn({ responses }: Round, question: string, field: string): string | undefined {
  const value = form.safeParse(responses?.[question]).data?.content[field];
  return value === undefined ? undefined : String(value);
}

const spoken = ({ responses }: Round, question: string) => said.safeParse(responses?.[question]).data?.content.text;
const rootsOf = ({ responses }: Round, question: string) =>
  listed
    .safeParse(responses?.[question])
    .data?.roots.map(({ uri }) => uri)
    .join(', ');

const askName = elicit('What is your name?', 'name');

/** One question that nothing has to be kept for. */
const once =
  (name: string, question: Question, answer: (round: Round, name: string) => string | undefined): Ask =>
  (round) => {
    const found = answer(round, name);
    return found === undefined ? { ask: { [name]: question } } : { given: { answer: found } };
  };

const nameIn = (round: Round, question: string) => filledIn(round, question, 'name');

const twice: Ask = (round) => {
  const { kept } = round;
  const first = nameIn(round, 'step1');
  if (kept === undefined || (kept === 'first' && first === undefined)) {
    return { ask: { step1: elicit('Step 1: What is your name?', 'name') }, keep: 'first' };
  }
  if (kept === 'first')
    return { ask: { step2: elicit('Step 2: What is your favorite color?', 'color') }, keep: { first } };
  return { given: { answer: `${JSON.stringify(kept)} ${filledIn(round, 'step2', 'color')}` } };
};

const confirmed: Ask = (round) => {
  if (round.kept === undefined) return { ask: { confirm: elicit('Please confirm', 'ok', 'boolean') }, keep: 'asked' };
  return { given: { answer: `state-ok ${filledIn(round, 'confirm', 'ok')}` } };
};

const three: Ask = (round) => {
  const answers = [nameIn(round, 'user_name'), spoken(round, 'greeting'), rootsOf(round, 'client_roots')];
  if (round.kept !== undefined && !answers.includes(undefined)) return { given: { answer: answers.join('; ') } };
  return { ask: { user_name: askName, greeting: sample('Generate a greeting'), client_roots: roots }, keep: 'asked' };
};

const whatTheClientCan: Ask = (round) => {
  const { elicitation, sampling } = round.capabilities;
  const ask = { ...(elicitation ? { user_name: askName } : {}), ...(sampling ? { greeting: sample('Greet.') } : {}) };
  const answer = nameIn(round, 'user_name') ?? spoken(round, 'greeting');
  return answer === undefined && Object.keys(ask).length > 0 ? { ask } : { given: { answer: answer ?? 'nobody' } };
};

const input = z.strictObject({ answer: z.string().optional() });
const asking = (tool: string, ask: Ask) => fixture(tool, input, ({ answer }) => `Answered: ${answer}`, { ask });

/** Tools that ask the client before they run. */
export const askingTools: Operation[] = [
  asking('test_input_required_result_elicitation', once('user_name', askName, nameIn)),
  asking(
    'test_input_required_result_sampling',
    once('capital_question', sample('What is the capital of France?'), spoken),
  ),
  asking('test_input_required_result_list_roots', once('client_roots', roots, rootsOf)),
  asking('test_input_required_result_request_state', confirmed),
  asking('test_input_required_result_tampered_state', confirmed),
  asking('test_input_required_result_multiple_inputs', three),
  asking('test_input_required_result_multi_round', twice),
  asking('test_input_required_result_capabilities', whatTheClientCan),
  asking('test_missing_capability', once('greeting', sample('Greet.'), spoken)),
  asking('test_streaming_elicitation', once('user_name', askName, nameIn)),
];

export const askingPrompts: Prompt[] = [
  {
    name: 'test_input_required_result_prompt',
    title: 'Asks first',
    description: 'Asks what it should be about.',
    scopes: [],
    arguments: [],
    ask: once('user_context', elicit('What context should the prompt use?', 'context'), (round, question) =>
      filledIn(round, question, 'context'),
    ),
    text: ({ answer }) => `The context is ${answer}.`,
  },
];
