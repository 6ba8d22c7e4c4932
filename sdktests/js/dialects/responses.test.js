// OpenAI's JavaScript SDK on /v1/responses, before targets that speak chat completions.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const { z } = require('zod');
const { zodTextFormat } = require('openai/helpers/zod');
const { OpenAI, ask, client: connect, collect, model, sent, sentence, upstream } = require('../lib.js');

const client = connect();
const create = (options) => client.responses.create({ model, input: 'hi', ...options });
const tool = (name, properties) => ({
  type: 'function', name, strict: true,
  parameters: { type: 'object', properties, required: Object.keys(properties), additionalProperties: false },
});
const tools = [tool('weather', { city: { type: 'string' }, days: { type: 'integer' } }), tool('clock', { zone: { type: 'string' } })];
const wanted = [['weather', '{"city":"Paris","days":7}'], ['clock', '{"zone":"Paris"}']];
const calls = (answer) => answer.output.filter((item) => item.type === 'function_call');

async function follow(options) {
  const stream = client.responses.stream({ model, input: 'hi', ...options });
  const events = await collect(stream);
  return { events, final: await stream.finalResponse() };
}

test('response', async () => {
  const answer = await create();
  assert.deepEqual([answer.object, answer.status, answer.output_text], ['response', 'completed', sentence]);
  assert.deepEqual([answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.total_tokens], [5, 14, 19]);
});

test('stream', async () => {
  const { events, final } = await follow();
  assert.deepEqual([final.output_text, final.status, final.usage.total_tokens], [sentence, 'completed', 19]);
  assert.deepEqual(events.map((e) => e.sequence_number), events.map((_, i) => i));
  assert.equal(events.filter((e) => e.type === 'response.output_text.delta').length, 14);
  assert.equal(events.at(-1).type, 'response.completed');
});

for (const stream of [false, true]) {
  test(`tools over two turns, stream ${stream}`, async () => {
    const answer = stream ? (await follow({ tools })).final : await create({ tools });
    assert.deepEqual(calls(answer).map((item) => [item.name, item.arguments]), wanted);
    const results = calls(answer).map((item, i) => ({ type: 'function_call_output', call_id: item.call_id, output: `${i}7 °C` }));
    const second = await create({ tools, input: [...ask(), ...answer.output, ...results] });
    assert.equal(second.output_text, 'The tool said: 17 °C');
    assert.deepEqual((await sent('/chat/completions')).messages.map((m) => m.role), ['user', 'assistant', 'tool', 'tool']);
  });
}

test('structured answer', async () => {
  const text = { format: zodTextFormat(z.object({ kind: z.enum(['cat', 'dog']), legs: z.number().int() }), 'pet') };
  assert.deepEqual((await client.responses.parse({ model, input: 'hi', text })).output_parsed, { kind: 'cat', legs: 7 });
  assert.deepEqual((await follow({ text })).final.output_parsed, { kind: 'cat', legs: 7 });
});

test('reasoning', async () => {
  const options = { model: 'thinks', reasoning: { effort: 'low', summary: 'auto' } };
  for (const answer of [await create(options), (await follow(options)).final]) {
    assert.deepEqual(answer.output.map((item) => item.type), ['reasoning', 'message']);
    assert.equal(answer.usage.output_tokens_details.reasoning_tokens, 40);
  }
});

test('refusal and length', async () => {
  assert.equal((await create({ model: 'refuses' })).output[0].content[0].refusal, 'I cannot help with that.');
  const short = await create({ max_output_tokens: 2 });
  assert.deepEqual([short.status, short.incomplete_details.reason], ['incomplete', 'max_output_tokens']);
});

for (const stream of [false, true]) {
  for (const [name, status] of [['nobody', 404], ['limited', 429], ['failing', 502], ['overloaded', 503], ['page', 502], ['garbage', 502], ['empty', 502]]) {
    test(`upstream ${name}, stream ${stream}`, () =>
      assert.rejects(create({ model: name, stream }), (e) => e instanceof OpenAI.APIError && e.status === status && Boolean(e.message)));
  }
}

for (const name of ['stillborn', 'breaks', 'cut', 'reset', 'mute']) {
  test(`broken stream never completes: ${name}`, async () => {
    const seen = [];
    let raised = false;
    try {
      for await (const event of await create({ model: name, stream: true })) seen.push(event.type);
    } catch (error) {
      assert.ok(error instanceof OpenAI.APIError, `${error}`);
      raised = true;
    }
    assert.ok(raised || ['response.failed', 'error'].includes(seen.at(-1)), seen.join());
    assert.ok(!seen.includes('response.completed') && !seen.includes('response.incomplete'));
  });
}

for (const name of ['undone', 'odd', 'fields', 'fallback', 'fallback-cut']) {
  test(`complete stream: ${name}`, async () => assert.equal((await follow({ model: name })).final.output_text, sentence));
}

test('leaving cancels upstream', async () => {
  const { gone } = await upstream('counts');
  for await (const event of await create({ model: 'endless', stream: true })) if (event.type.endsWith('.delta')) break;
  assert.equal((await upstream(`counts?gone=${gone + 1}`)).gone, gone + 1);
});
