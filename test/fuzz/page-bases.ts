import type { BaseMaker } from './bases.ts';
import { formWire, safePath, toForm } from './oauth-bases.ts';

const place = '/api/v1/oauth/youtube';

/** Good requests to the pages on which a person connects a channel. */
export const pageBases: readonly BaseMaker[] = [
  {
    label: 'page ticket',
    make: (world, dice) => ({
      label: 'page ticket',
      input: { ticket: dice.pick(world.ticketSecrets) },
      encode: (input) => safePath({ method: 'GET', path: `${place}/authorize?${toForm(input)}`, headers: [] }),
    }),
  },
  {
    label: 'page ticket go',
    make: (world, dice) => ({
      label: 'page ticket go',
      input: { ticket: dice.pick(world.ticketSecrets) },
      encode: (input) => formWire(`${place}/authorize`, input, [['cookie', `pharlo_connect=${'c'.repeat(43)}`]]),
    }),
  },
  {
    label: 'page callback',
    make: (world, dice) => ({
      label: 'page callback',
      input: { state: dice.pick(world.ticketSecrets), code: 'code', scope: 'x' },
      encode: (input) =>
        safePath({
          method: 'GET',
          path: `${place}/callback?${toForm(input)}`,
          headers: [['cookie', `pharlo_connect=${'c'.repeat(43)}`]],
        }),
    }),
  },
];
