// Vercel's AI SDK with its three providers, and Ollama's client, before targets that speak OpenAI's dialect.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const { z } = require('zod');
const { Ollama } = require('ollama');
const { ask, collect, embed, key, load, model, sentence, url } = require('../lib.js');

const surfaces = ['chat', 'responses', 'anthropic', 'google'];
let ai;
let models; // by surface, a function of the model's name
test.before(async () => {
  const [core, openai, anthropic, google] = await Promise.all(['ai', '@ai-sdk/openai', '@ai-sdk/anthropic', '@ai-sdk/google'].map(load));
  ai = core;
  globalThis.AI_SDK_LOG_WARNINGS = false;
  const byOpenAI = openai.createOpenAI({ baseURL: url + '/v1', apiKey: key });
  models = {
    chat: byOpenAI.chat, responses: byOpenAI.responses,
    anthropic: anthropic.createAnthropic({ baseURL: url + '/v1', apiKey: key }),
    google: google.createGoogleGenerativeAI({ baseURL: url + '/v1beta', apiKey: key }),
  };
});

const options = (surface, name = model) => ({ model: models[surface](name), prompt: 'hi', maxRetries: 0, maxOutputTokens: 100 });

for (const surface of surfaces) {
  test(`${surface}: generateText`, async () => {
    const answer = await ai.generateText(options(surface));
    assert.deepEqual([answer.text, answer.finishReason], [sentence, 'stop']);
    assert.deepEqual([answer.usage.inputTokens, answer.usage.outputTokens], [5, 14]);
  });

  test(`${surface}: streamText`, async () => {
    const answer = ai.streamText(options(surface));
    assert.equal((await collect(answer.textStream)).join(''), sentence);
    assert.deepEqual([await answer.finishReason, (await answer.usage).outputTokens], ['stop', 14]);
  });

  for (const target of [model, 'claude', 'gemini']) {
    for (const streamed of [false, true]) {
      test(`${surface}: tools in two steps of ${target}, stream ${streamed}`, async () => {
        const asked = [];
        const clock = ai.tool({
          description: 'Tells the time.', inputSchema: z.object({ zone: z.string() }),
          execute: async (input) => { asked.push(input); return 'noon'; },
        });
        const all = { ...options(surface, target), tools: { clock }, stopWhen: ai.stepCountIs(3) };
        const text = streamed ? await ai.streamText(all).text : (await ai.generateText(all)).text;
        assert.deepEqual(asked, [{ zone: 'Paris' }]);
        assert.match(text, /^The tool said: .*noon/);
      });
    }
  }

  test(`${surface}: a second turn`, async () => {
    const first = await ai.generateText(options(surface));
    const { prompt, ...rest } = options(surface);
    const messages = [{ role: 'user', content: prompt }, ...first.response.messages, { role: 'user', content: 'more' }];
    // Without this the provider refers to what OpenAI has stored, and sends no text.
    const providerOptions = { openai: { store: false } };
    assert.equal((await ai.generateText({ ...rest, messages, providerOptions })).text, sentence);
  });

  test(`${surface}: structured answer`, async () => {
    const schema = z.object({ kind: z.string(), legs: z.number().int() });
    const answer = await ai.generateText({ ...options(surface), output: ai.Output.object({ schema }) });
    assert.equal(answer.output.kind, 'Paris');
    assert.ok(Number.isInteger(answer.output.legs));
  });

  test(`${surface}: thinking`, async () => {
    const answer = await ai.generateText(options(surface, 'thinks'));
    assert.equal(answer.text, sentence);
    if (surface !== 'chat') assert.ok(answer.reasoningText, 'the chat provider reads no reasoning_content');
  });

  for (const [name, status] of [['nobody', 404], ['limited', 429], ['failing', 502]]) {
    test(`${surface}: upstream ${name}`, () =>
      assert.rejects(ai.generateText(options(surface, name)), (e) => ai.APICallError.isInstance(e) && e.statusCode === status && Boolean(e.message)));
  }

  test(`${surface}: broken streams are errors`, async () => {
    for (const name of ['breaks', 'cut', 'mute']) {
      const errors = [];
      const answer = ai.streamText({ ...options(surface, name), onError: ({ error }) => errors.push(error) });
      const parts = await collect(answer.fullStream ?? answer.stream).catch((e) => { errors.push(e); return []; });
      const text = parts.filter((p) => p.type === 'text-delta').map((p) => p.text).join('');
      assert.ok(errors.length > 0, `${name}: ${parts.map((p) => p.type)}`);
      assert.ok(sentence.startsWith(text));
      assert.ok(!parts.some((p) => p.type === 'finish' && p.finishReason === 'stop'), name);
    }
  });
}

for (const streamed of [false, true]) {
  // The fake refuses a second step that does not begin with the thought it signed.
  test(`anthropic: thinking over two steps of claude, stream ${streamed}`, async () => {
    const clock = ai.tool({ inputSchema: z.object({ zone: z.string() }), execute: async () => 'noon' });
    const all = {
      ...options('anthropic', 'claude'), tools: { clock }, stopWhen: ai.stepCountIs(3),
      providerOptions: { anthropic: { thinking: { type: 'enabled', budgetTokens: 1024 } } },
    };
    const answer = streamed ? ai.streamText(all) : await ai.generateText(all);
    assert.match(await answer.text, /^The tool said: .*noon/);
    assert.equal((await answer.steps).length, 2);
  });
}

test('ai: embeddings', async () => {
  const openai = (await load('@ai-sdk/openai')).createOpenAI({ baseURL: url + '/v1', apiKey: key });
  const google = (await load('@ai-sdk/google')).createGoogleGenerativeAI({ baseURL: url + '/v1beta', apiKey: key });
  for (const provider of [openai, google]) {
    const answer = await ai.embedMany({ model: provider.textEmbeddingModel ? provider.textEmbeddingModel(embed) : provider.embeddingModel(embed), values: ['sea', 'mañana'], maxRetries: 0 });
    assert.deepEqual(answer.embeddings.map((row) => row.length), [64, 64]);
  }
});

const ollama = new Ollama({ host: url, headers: { Authorization: 'Bearer ' + key } });
const clock = {
  type: 'function',
  function: { name: 'clock', description: 'Tells the time.', parameters: { type: 'object', properties: { zone: { type: 'string' } }, required: ['zone'] } },
};

test('ollama: chat, stream, tools, embed, list', async () => {
  const answer = await ollama.chat({ model, messages: ask() });
  assert.deepEqual([answer.message.content, answer.done_reason, answer.prompt_eval_count, answer.eval_count], [sentence, 'stop', 5, 14]);
  const chunks = await collect(await ollama.chat({ model, messages: ask(), stream: true }));
  assert.equal(chunks.map((c) => c.message.content).join(''), sentence);
  assert.deepEqual([chunks.at(-1).done, chunks.at(-1).eval_count], [true, 14]);
  const called = await ollama.chat({ model, messages: ask(), tools: [clock] });
  assert.deepEqual(called.message.tool_calls.map((c) => [c.function.name, c.function.arguments]), [['clock', { zone: 'Paris' }]]);
  const embedded = await ollama.embed({ model: embed, input: ['sea', 'mañana'] });
  assert.deepEqual(embedded.embeddings.map((row) => row.length), [64, 64]);
  assert.ok((await ollama.list()).models.some((m) => m.model === model || m.name === model));
});

test('ollama: errors', async () => {
  await assert.rejects(ollama.chat({ model: 'nobody', messages: ask() }), (e) => e.status_code === 404);
  for (const name of ['breaks', 'cut', 'mute']) {
    await assert.rejects(async () => collect(await ollama.chat({ model: name, messages: ask(), stream: true })), undefined, name);
  }
});
