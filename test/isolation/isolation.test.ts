import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import type { Operation } from '../../src/operation.ts';
import { operations } from '../../src/operations/index.ts';
import { prompts } from '../../src/surfaces/mcp-prompts.ts';
import { resources } from '../../src/surfaces/mcp-resources.ts';
import { schemasOf } from '../../src/surfaces/schemas.ts';
import { attempts, cases, idMembers, inputOf } from './cases.ts';
import { callMcp, callRest, eras, type Input, type Seen, without } from './doors.ts';
import { type House, type Person, rowsOf, startHouse } from './people.ts';

let house: House;
before(async () => {
  house = await startHouse();
});
after(() => house[Symbol.asyncDispose]());

/** Every way to make one call: REST, and the tool in both eras. */
type Door = { name: string; kind: 'rest' | 'mcp'; call: (person: Person, input: Input) => Promise<Seen> };

function doorsOf(op: Operation): Door[] {
  const { rest } = op;
  const { pharlo } = house;
  const tool = (era: (typeof eras)[number]): Door => ({
    name: `MCP ${era}`,
    kind: 'mcp',
    call: ({ mcp }, input) => callMcp(pharlo, mcp, era, 'tools/call', { name: op.name, arguments: input }),
  });
  return [
    ...(rest
      ? [{ name: 'REST', kind: 'rest', call: (person, input) => callRest(pharlo, person.rest, rest, input) } as Door]
      : []),
    ...(op.mcp ? eras.map(tool) : []),
  ];
}

const isRefused = ({ status, text }: Seen) => status >= 400 || text.includes('"isError":true');

/** Nothing that belongs to the owner stands in what a stranger is told, but what the stranger said. */
function assertTellsNothing({ text, headers }: Seen, said: readonly string[]): void {
  const told = `${text}${JSON.stringify(headers)}`;
  const { organizationId, mediaUrl: _, ...things } = house.things;
  for (const [name, value] of Object.entries({ ...things, organizationId })) {
    if (!said.includes(value)) assert.ok(!told.includes(value), `${name} is told: ${told}`);
  }
}

test('every operation has a case that gives each of its id members', () => {
  assert.deepEqual(Object.keys(cases).sort(), operations.map(({ name }) => name).sort());
  for (const op of operations) {
    for (const door of ['rest', 'mcp'] as const) {
      const given = Object.keys(inputOf(op, door, house.things));
      assert.deepEqual(
        idMembers(op, door).filter((name) => !given.includes(name)),
        [],
        `${op.name} at ${door}`,
      );
    }
  }
});

for (const op of operations) {
  test(`${op.name}: what is another's answers as what does not exist`, async () => {
    const { strangers, things, pharlo, owner } = house;
    for (const door of doorsOf(op)) {
      const before = await rowsOf(pharlo, things);
      for (const stranger of strangers) {
        for (const input of attempts(op, door.kind, things)) await assertAlike(op, door, stranger, input);
      }
      assert.deepEqual(await rowsOf(pharlo, things), before, `${door.name}: a stranger changed something`);
      if (op.access === 'session') continue;
      await prepare(op);
      const own = await door.call(owner, inputOf(op, door.kind, things));
      assert.ok(!isRefused(own), `${door.name}: the owner is refused: ${own.status} ${own.text}`);
    }
  });
}

/** What is another's, and what nobody has, one id after the other. */
async function assertAlike(op: Operation, { name, kind, call }: Door, stranger: Person, input: Input): Promise<void> {
  const foreign = await call(stranger, input);
  assertTellsNothing(foreign, []);
  const members = idMembers(op, kind).filter((member) => member in input);
  for (const member of members) {
    const random = randomUUID();
    const ids = [...members.map((one) => String(input[one])), random];
    const absent = await call(stranger, { ...input, [member]: random });
    assert.deepEqual(without(foreign, ids), without(absent, ids), `${stranger.name}, ${name}: ${member}`);
  }
}

/** Brings the assignment back to where the call can be made. */
async function prepare(op: Operation): Promise<void> {
  const { needs, input } = cases[op.name] ?? {};
  if (!needs || !input) return;
  const text = 'update assignments set status = $2, due_at = null where id = $1';
  await house.pharlo.app.deps.db.query({ text, values: [input(house.things).assignmentId, needs] });
}

const asStranger = async (call: (person: Person) => Promise<void>) => {
  for (const stranger of house.strangers) await call(stranger);
};

test('lists show a stranger nothing of the owner, whatever they are asked for', async () => {
  const { pharlo, owner, things } = house;
  const lists = operations.filter((op) => op.rest && schemasOf(op).input.properties?.cursor);
  assert.ok(lists.length > 4);
  for (const { name, rest } of lists) {
    if (!rest) continue;
    const own = await callRest(pharlo, owner.rest, rest, { limit: 1 });
    assert.equal(own.status, 200, name);
    const { nextCursor: cursor } = JSON.parse(own.text) as { nextCursor?: string };
    assert.ok(cursor, `${name} has no second page`);
    await asStranger(async ({ name: who, rest: secret }) => {
      const plain = await callRest(pharlo, secret, rest, {});
      assertTellsNothing(plain, []);
      const after = await callRest(pharlo, secret, rest, { cursor });
      assert.equal(after.status, plain.status, who);
      assertTellsNothing(after, []);
      const filters = { externalId: things.externalId, platform: 'youtube', status: 'pending', limit: 100 };
      for (const [filter, value] of Object.entries(filters)) {
        assertTellsNothing(await callRest(pharlo, secret, rest, { [filter]: String(value) }), [String(value)]);
      }
    });
  }
});

test('an organization of somebody else is none', async () => {
  const { pharlo, things } = house;
  for (const { rest, access } of operations) {
    if (rest?.method !== 'GET' || rest.path.includes('{') || access === 'session') continue;
    await asStranger(async ({ name, rest: secret }) => {
      const narrowed = (id: string) => callRest(pharlo, secret, rest, {}, { 'x-organization-id': id });
      const random = randomUUID();
      const ids = [things.organizationId, random];
      const foreign = await narrowed(things.organizationId);
      assert.ok(isRefused(foreign), `${name} at ${rest.path}`);
      assert.deepEqual(without(foreign, ids), without(await narrowed(random), ids), `${name} at ${rest.path}`);
    });
  }
});

test('resources and subscriptions of another are none', async () => {
  const { pharlo, owner, things } = house;
  const asked = (method: string, id: string) => {
    const uri = `pharlo://assignments/${id}`;
    return method === 'resources/read' ? { uri } : { notifications: { resourceSubscriptions: [uri] } };
  };
  for (const method of ['resources/read', 'subscriptions/listen']) {
    for (const era of eras) {
      if (method === 'subscriptions/listen' && era !== '2026-07-28') continue;
      const own = await callMcp(pharlo, owner.mcp, era, method, asked(method, things.pendingId));
      assert.ok(own.status === 200 && !own.text.includes('"error"'), own.text);
      await asStranger(async ({ name, mcp }) => {
        const random = randomUUID();
        const ids = [things.pendingId, random];
        const foreign = await callMcp(pharlo, mcp, era, method, asked(method, things.pendingId));
        assertTellsNothing(foreign, [things.pendingId]);
        const absent = await callMcp(pharlo, mcp, era, method, asked(method, random));
        assert.ok(foreign.status !== 200 || foreign.text.includes('"error"'), `${name}: ${foreign.text}`);
        assert.deepEqual(without(foreign, ids), without(absent, ids), `${name}, ${method} ${era}`);
      });
    }
  }
});

test('completions are the same for everybody', async () => {
  const { pharlo, owner } = house;
  const { things } = house;
  const offered = [
    ...prompts.flatMap(({ name, arguments: given }) =>
      given.map((argument) => ({ ref: { type: 'ref/prompt', name }, argument: argument.name })),
    ),
    ...resources.flatMap(({ uri }) =>
      [...uri.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => ({ ref: { type: 'ref/resource', uri }, argument: name })),
    ),
  ];
  assert.ok(offered.length > 0);
  for (const { ref, argument } of offered) {
    for (const value of ['', things.pendingId.slice(0, 8), 'Channel']) {
      const ask = (secret: string) =>
        callMcp(pharlo, secret, eras[0] ?? '2025-06-18', 'completion/complete', {
          ref,
          argument: { name: argument, value },
        });
      const own = await ask(owner.mcp);
      assertTellsNothing(own, []);
      await asStranger(async ({ name, mcp }) => assert.deepEqual(await ask(mcp), own, name));
    }
  }
});

test("the pages of a ticket know its secret, and no stranger's guess or browser", async () => {
  const { pharlo, things } = house;
  const place = `${pharlo.url}/api/v1/oauth/youtube`;
  const page = async (ticket: string) => {
    const response = await fetch(`${place}/authorize?ticket=${ticket}`);
    return { status: response.status, text: await response.text() };
  };
  assert.equal((await page(things.ticketSecret)).status, 200);
  const random = randomUUID();
  const byId = await page(things.ticketId);
  assert.equal(byId.status, 400);
  assert.deepEqual(byId, await page(random));

  const body = new URLSearchParams({ ticket: things.ticketSecret });
  const begun = await fetch(`${place}/authorize`, { method: 'POST', body, redirect: 'manual' });
  const state = new URL(begun.headers.get('location') ?? '').searchParams.get('state') ?? '';
  const back = async (given: string, cookie = `pharlo_connect=${'c'.repeat(43)}`) => {
    const response = await fetch(`${place}/callback?state=${given}&error=access_denied`, { headers: { cookie } });
    return { status: response.status, text: await response.text() };
  };
  assert.deepEqual(await back(state), await back('x'.repeat(state.length)));
  const own = begun.headers.get('set-cookie')?.split(';')[0] ?? '';
  assert.match((await back(state, own)).text, /not connected/);
});

test('an idempotency key of another workspace is free', async () => {
  const { pharlo, neighbour, things } = house;
  const input = {
    connectionId: neighbour.connectionId,
    type: 'video',
    payload: { title: 'Planned' },
    mediaUrl: things.mediaUrl,
    scheduledAt: new Date(pharlo.app.deps.now() + 24 * 3_600_000).toISOString(),
    idempotencyKey: things.idempotencyKey,
  };
  const as = { authorization: `Bearer ${neighbour.key}` };
  const made = await pharlo.rest('POST', '/assignments', input, as);
  assert.equal(made.status, 201, JSON.stringify(made.body));
  assert.equal(made.headers.get('idempotent-replayed'), null);
  assert.notEqual(made.body.id, things.pendingId);
  const again = await pharlo.rest('POST', '/assignments', input, as);
  assert.equal(again.body.id, made.body.id);
});
