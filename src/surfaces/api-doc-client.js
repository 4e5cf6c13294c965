/** Makes the reference do something: finding calls, opening the one a link names, trying them. */

const byId = (id) => document.getElementById(id);
const shownHeaders = /^(x-credits-|idempotent-|ratelimit-|retry-after$)/;

for (const form of document.querySelectorAll('form[hidden]')) form.hidden = false;

byId('who').addEventListener('submit', (event) => event.preventDefault());

byId('find').addEventListener('input', ({ target }) => {
  const words = target.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const call of document.querySelectorAll('.call')) {
    call.hidden = !words.every((word) => call.dataset.words.includes(word));
    if (!call.hidden) count += 1;
  }
  for (const noun of document.querySelectorAll('.noun')) noun.hidden = !noun.querySelector('.call:not([hidden])');
  byId('found').textContent = count === 1 ? '1 call' : `${count} calls`;
});

function openTarget() {
  const target = location.hash && byId(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) target.open = true;
}
addEventListener('hashchange', openTarget);
openTarget();

for (const form of document.querySelectorAll('.try')) {
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    send(form);
  });
}

function say(result, ...lines) {
  result.replaceChildren(
    ...lines.map(({ tag, text, bad }) => {
      const element = document.createElement(tag);
      element.textContent = text;
      if (bad) element.className = 'bad';
      return element;
    }),
  );
}

/** Marks the field that keeps a call from being sent, and goes there. */
function refuse(result, field, text) {
  field.setAttribute('aria-invalid', 'true');
  say(result, { tag: 'p', text, bad: true });
  field.focus();
}

/** Undefined when something has to be filled in first. */
function readRequest(form, result) {
  for (const field of document.querySelectorAll('[aria-invalid]')) field.removeAttribute('aria-invalid');
  const key = byId('key');
  if (key.value.trim() === '') return refuse(result, key, 'Give your key first.');
  let { path } = form.dataset;
  const query = new URLSearchParams();
  for (const field of form.querySelectorAll('[data-in]')) {
    const value = field.value.trim();
    if (field.dataset.in === 'query') {
      if (value !== '') query.set(field.name, value);
    } else if (value === '') {
      return refuse(result, field, `${field.name} is missing.`);
    } else {
      path = path.replace(`{${field.name}}`, encodeURIComponent(value));
    }
  }
  const headers = { authorization: `Bearer ${key.value.trim()}` };
  const organization = byId('organization').value.trim();
  if (organization !== '') headers['x-organization-id'] = organization;
  const body = form.elements.namedItem('body');
  if (body) {
    try {
      JSON.parse(body.value);
    } catch {
      return refuse(result, body, 'The body is not JSON.');
    }
    headers['content-type'] = 'application/json';
  }
  const search = query.size > 0 ? `?${query}` : '';
  const init = { method: form.dataset.method, headers, credentials: 'omit', ...(body && { body: body.value }) };
  return { url: `/api/v1${path}${search}`, init };
}

async function send(form) {
  const result = form.querySelector('.result');
  const request = readRequest(form, result);
  if (!request) return;
  const button = form.querySelector('button');
  button.setAttribute('aria-disabled', 'true');
  say(result, { tag: 'p', text: 'Waiting for the answer …' });
  try {
    const response = await fetch(request.url, request.init);
    const text = await response.text();
    const headers = [...response.headers].filter(([name]) => shownHeaders.test(name));
    say(
      result,
      { tag: 'p', text: `${response.status} ${response.statusText}`, bad: !response.ok },
      ...(headers.length > 0
        ? [{ tag: 'pre', text: headers.map(([name, value]) => `${name}: ${value}`).join('\n') }]
        : []),
      ...(text ? [{ tag: 'pre', text: pretty(text) }] : []),
    );
  } catch {
    say(result, { tag: 'p', text: 'No answer came. Is the server running?', bad: true });
  } finally {
    button.removeAttribute('aria-disabled');
  }
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
