// Anthropic's JavaScript SDK against targets that speak OpenAI's dialect: every answer is known to the byte.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const Anthropic = require('@anthropic-ai/sdk').default;
const { ask, collect, key, model, sent, sentence, upstream, url } = require('../lib.js');

const connect = (options) => new Anthropic({ baseURL: url, apiKey: key, timeout: 60_000, maxRetries: 0, ...options });
const client = connect();
const params = (options) => ({ model, max_tokens: 100, messages: ask(), ...options });
const create = (options) => client.messages.create(params(options));

const tool = (name, properties) => ({
  name, description: `Tells the ${name}.`,
  input_schema: { type: 'object', properties, required: Object.keys(properties), additionalProperties: false },
});
const tools = [tool('weather', { city: { type: 'string' }, days: { type: 'integer' } }), tool('clock', { zone: { type: 'string' } })];
const wanted = [['weather', { city: 'Paris', days: 7 }], ['clock', { zone: 'Paris' }]];
const uses = (message) => message.content.filter((block) => block.type === 'tool_use');

async function follow(options) {
  const stream = client.messages.stream(params(options));
  const events = await collect(stream);
  return { events, final: await stream.finalMessage() };
}

test('message', async () => {
  const answer = await create();
  assert.deepEqual(answer.content.map((b) => [b.type, b.text]), [['text', sentence]]);
  assert.deepEqual([answer.type, answer.role, answer.stop_reason], ['message', 'assistant', 'end_turn']);
  assert.deepEqual([answer.usage.input_tokens, answer.usage.output_tokens], [5, 14]);
  assert.ok(answer._request_id);
});

test('stream', async () => {
  const { events, final } = await follow();
  assert.equal(final.content[0].text, sentence);
  assert.deepEqual([final.stop_reason, final.usage.input_tokens, final.usage.output_tokens], ['end_turn', 5, 14]);
  assert.ok(events[0].message.usage.input_tokens > 0, 'never zero');
  assert.equal(events.filter((e) => e.type === 'content_block_delta').length, 14);
  assert.equal(events.at(-1).type, 'message_stop');
});

for (const stream of [false, true]) {
  test(`tools over two turns, stream ${stream}`, async () => {
    const answer = stream ? (await follow({ tools })).final : await create({ tools });
    assert.equal(answer.stop_reason, 'tool_use');
    assert.deepEqual(uses(answer).map((b) => [b.name, b.input]), wanted);
    const results = uses(answer).map((b, i) => ({ type: 'tool_result', tool_use_id: b.id, content: `${i}7 °C` }));
    const second = await create({
      tools, messages: [...ask(), { role: 'assistant', content: answer.content }, { role: 'user', content: results }],
    });
    assert.equal(second.content[0].text, 'The tool said: 17 °C');
    assert.deepEqual((await sent('/chat/completions')).messages.map((m) => m.role), ['user', 'assistant', 'tool', 'tool']);
  });
}

test('tool runner', async () => {
  const asked = [];
  const own = { ...tools[1], run: (input) => { asked.push(input); return 'noon'; } };
  const final = await client.beta.messages.toolRunner(params({ tools: [own] }));
  assert.deepEqual(asked, [{ zone: 'Paris' }]);
  assert.equal(final.content[0].text, 'The tool said: noon');
});

test('thinking', async () => {
  const options = { model: 'thinks', max_tokens: 2000, thinking: { type: 'enabled', budget_tokens: 1024 } };
  for (const answer of [await create(options), (await follow(options)).final]) {
    assert.deepEqual(answer.content.map((b) => b.type), ['thinking', 'text']);
    assert.ok(answer.content[0].thinking);
    assert.deepEqual([answer.usage.output_tokens, answer.usage.cache_read_input_tokens, answer.usage.input_tokens], [54, 3, 2]);
  }
});

test('system, image, stop sequences, length', async () => {
  const stopped = await create({ system: 'Be brief.', stop_sequences: ['naïve'] });
  assert.equal(stopped.content[0].text, 'Ahoy! The café is ');
  assert.equal((await sent('/chat/completions')).messages[0].content, 'Be brief.');
  assert.equal((await create({ max_tokens: 2 })).stop_reason, 'max_tokens');
  const source = { type: 'base64', media_type: 'image/png', data: 'aGk=' };
  await create({ messages: [{ role: 'user', content: [{ type: 'image', source }, { type: 'text', text: 'What?' }] }] });
  assert.equal((await sent('/chat/completions')).messages[0].content[0].image_url.url, 'data:image/png;base64,aGk=');
});

test('tokens are estimated where the target cannot count', async () => {
  assert.ok((await client.messages.countTokens({ model, messages: ask() })).input_tokens > 0);
});

test('models', async () => {
  const names = (await collect(client.models.list())).map((m) => m.id);
  assert.ok(names.includes(model));
});

const rejects = (promise, type, kind, check) =>
  assert.rejects(promise, (error) => {
    assert.ok(error instanceof type, `${error.constructor.name}: ${error.message}`);
    assert.equal(error.error?.error?.type, kind);
    check?.(error);
    return true;
  });

test('wrong key', () => rejects(connect({ apiKey: 'wrong' }).messages.create(params()), Anthropic.AuthenticationError, 'authentication_error'));
test('bad request', () => rejects(create({ messages: 'hi' }), Anthropic.BadRequestError, 'invalid_request_error'));

for (const stream of [false, true]) {
  test(`unknown model, stream ${stream}`, () => rejects(create({ model: 'nobody', stream }), Anthropic.NotFoundError, 'not_found_error'));
  test(`rate limit, stream ${stream}`, () =>
    rejects(create({ model: 'limited', stream }), Anthropic.RateLimitError, 'rate_limit_error', (e) => {
      const seconds = Number(e.headers.get('retry-after'));
      assert.ok(seconds >= 1 && seconds <= 7, `${seconds}`);
    }));
  test(`overloaded, stream ${stream}`, () => rejects(create({ model: 'overloaded', stream }), Anthropic.InternalServerError, 'overloaded_error'));
  for (const name of ['failing', 'page', 'garbage', 'empty', 'unauthorized']) {
    test(`upstream ${name}, stream ${stream}`, () => rejects(create({ model: name, stream }), Anthropic.InternalServerError, 'api_error'));
  }
}

for (const name of ['breaks', 'cut', 'reset', 'mute']) {
  test(`broken stream raises and never finishes: ${name}`, async () => {
    const seen = [];
    await assert.rejects(async () => {
      for await (const event of await create({ model: name, stream: true })) seen.push(event);
    }, Anthropic.APIError);
    const text = seen.map((e) => e.delta?.text ?? '').join('');
    assert.ok(text && sentence.startsWith(text));
    assert.ok(!seen.some((e) => e.type === 'message_stop' || e.type === 'message_delta'));
    await assert.rejects(client.messages.stream(params({ model: name })).finalMessage());
  });
}

for (const name of ['undone', 'odd', 'fields', 'fallback', 'fallback-cut']) {
  test(`complete stream: ${name}`, async () => {
    const { final } = await follow({ model: name });
    assert.deepEqual([final.content[0].text, final.stop_reason], [sentence, 'end_turn']);
  });
}

test('leaving cancels upstream', async () => {
  const { gone } = await upstream('counts');
  for await (const event of await create({ model: 'endless', stream: true })) if (event.type === 'content_block_delta') break;
  assert.equal((await upstream(`counts?gone=${gone + 1}`)).gone, gone + 1);
});
