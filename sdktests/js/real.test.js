// The official JavaScript SDK against a real small model on this machine: what must hold whatever it says.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const { z } = require('zod');
const { zodResponseFormat } = require('openai/helpers/zod');
const { ask, client: connect, embed, model } = require('./lib.js');

const client = connect();
const text = 'Write one short sentence about the sea.';

test('chat', async () => {
  const answer = await client.chat.completions.create({ model, messages: ask(text), max_tokens: 24 });
  assert.ok(answer.choices[0].message.content.trim());
  assert.ok(answer.usage.prompt_tokens > 5 && answer.usage.completion_tokens > 0);
});

test('stream', async () => {
  const stream = client.chat.completions.stream({
    model, messages: ask(text), max_tokens: 24, stream_options: { include_usage: true },
  });
  let pieces = 0;
  stream.on('content', () => pieces++);
  assert.ok((await stream.finalContent()).trim());
  assert.ok(pieces > 1, 'it streams');
  assert.ok((await stream.totalUsage()).completion_tokens > 0);
});

test('seed repeats', async () => {
  const options = { model, messages: ask(text), max_tokens: 16, seed: 7, temperature: 0 };
  const [first, second] = [await client.chat.completions.create(options), await client.chat.completions.create(options)];
  assert.equal(first.choices[0].message.content, second.choices[0].message.content);
});

test('schema', async () => {
  const Transfer = z.object({ sender: z.string(), amount: z.number().int() });
  const answer = await client.chat.completions.parse({
    model, messages: ask('Alice sends 3 coins to Bob.'), max_tokens: 96, temperature: 0,
    response_format: zodResponseFormat(Transfer, 'transfer'),
  });
  assert.ok(Number.isInteger(answer.choices[0].message.parsed.amount));
});

test('tool call', async () => {
  const parameters = { type: 'object', properties: { city: { type: 'string', maxLength: 20 } }, required: ['city'], additionalProperties: false };
  const final = await client.chat.completions
    .stream({
      model, messages: ask('What is the weather in Paris?'), max_tokens: 96, temperature: 0, tool_choice: 'required',
      tools: [{ type: 'function', function: { name: 'weather', description: 'Tells the weather in a city.', parameters } }],
    })
    .finalChatCompletion();
  const [call] = final.choices[0].message.tool_calls;
  assert.equal(call.function.name, 'weather');
  assert.equal(typeof JSON.parse(call.function.arguments).city, 'string');
});

test('embeddings', async () => {
  const input = ['The boat sails on the sea.', 'A ship crosses the ocean.', 'My invoice is overdue.'];
  const { data } = await client.embeddings.create({ model: embed, input });
  const [boat, ship, invoice] = data.map((row) => Array.from(row.embedding));
  assert.equal(boat.length, 256);
  assert.ok(cosine(boat, ship) > cosine(boat, invoice) + 0.1);
});

const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);
const cosine = (a, b) => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
