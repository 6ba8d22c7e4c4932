// The other surfaces before a real small model on this machine: what must hold whatever it says.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const { z } = require('zod');
const Anthropic = require('@anthropic-ai/sdk').default;
const { ask, client: connect, key, load, model, url } = require('./lib.js');

const sea = 'Write one short sentence about the sea.';

test('anthropic: stream', async () => {
  const stream = new Anthropic({ baseURL: url, apiKey: key, maxRetries: 0, timeout: 60_000 }).messages.stream({ model, max_tokens: 24, messages: ask(sea) });
  let pieces = 0;
  stream.on('text', () => pieces++);
  const final = await stream.finalMessage();
  assert.ok(final.content[0].text.trim() && pieces > 1 && final.usage.output_tokens > 0);
});

test('genai: generate', async () => {
  const { GoogleGenAI } = await load('@google/genai');
  const answer = await new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl: url } }).models.generateContent({ model, contents: sea, config: { maxOutputTokens: 24 } });
  assert.ok(answer.text.trim() && answer.usageMetadata.candidatesTokenCount > 0);
});

test('responses: stream', async () => {
  const seen = [];
  for await (const event of await connect().responses.create({ model, input: sea, max_output_tokens: 24, stream: true })) seen.push(event);
  assert.deepEqual(seen.map((e) => e.sequence_number), seen.map((_, i) => i));
  assert.match(seen.at(-1).type, /^response\.(completed|incomplete)$/);
});

test('ai: a tool by Anthropic’s surface', async () => {
  const ai = await load('ai');
  const { createAnthropic } = await load('@ai-sdk/anthropic');
  const weather = ai.tool({ description: 'Tells the weather in a city.', inputSchema: z.object({ city: z.string().max(20) }) });
  const answer = await ai.generateText({
    model: createAnthropic({ baseURL: url + '/v1', apiKey: key })(model), prompt: 'What is the weather in Paris?',
    tools: { weather }, toolChoice: 'required', maxOutputTokens: 96, temperature: 0, maxRetries: 0,
  });
  assert.equal(answer.toolCalls[0].toolName, 'weather');
  assert.equal(typeof answer.toolCalls[0].input.city, 'string');
});
