// Google's JavaScript SDK against targets that speak OpenAI's dialect: every answer is known to the byte.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const { collect, embed, key, load, model, sent, sentence, upstream, url } = require('../lib.js');

let genai, client;
const connect = (apiKey = key) => new genai.GoogleGenAI({ apiKey, httpOptions: { baseUrl: url, timeout: 60_000 } });
test.before(async () => {
  genai = await load('@google/genai');
  client = connect();
});

const generate = (config, options) => client.models.generateContent({ model, contents: 'hi', config, ...options });
const follow = async (config, options) => collect(await client.models.generateContentStream({ model, contents: 'hi', config, ...options }));
const parts = (answers) => answers.flatMap((a) => a.candidates?.[0]?.content?.parts ?? []);
const text = (answers) => parts(answers).filter((p) => !p.thought).map((p) => p.text ?? '').join('');

const declare = (name, properties) => ({ name, description: `Tells the ${name}.`, parameters: { type: 'OBJECT', properties, required: Object.keys(properties) } });
const tools = [{ functionDeclarations: [declare('weather', { city: { type: 'STRING' }, days: { type: 'INTEGER' } }), declare('clock', { zone: { type: 'STRING' } })] }];
const wanted = [['weather', { city: 'Paris', days: 7 }], ['clock', { zone: 'Paris' }]];

test('generate', async () => {
  const answer = await generate();
  assert.deepEqual([answer.text, answer.candidates[0].finishReason], [sentence, 'STOP']);
  const usage = answer.usageMetadata;
  assert.deepEqual([usage.promptTokenCount, usage.candidatesTokenCount, usage.totalTokenCount], [5, 14, 19]);
});

test('stream', async () => {
  const chunks = await follow();
  assert.equal(text(chunks), sentence);
  assert.ok(chunks.length >= 14);
  assert.deepEqual(chunks.map((c) => c.candidates?.[0]?.finishReason).filter(Boolean), ['STOP']);
  assert.equal(chunks.at(-1).usageMetadata.totalTokenCount, 19);
});

for (const streamed of [false, true]) {
  test(`tools over two turns, stream ${streamed}`, async () => {
    const answers = streamed ? await follow({ tools }) : [await generate({ tools })];
    const made = parts(answers).filter((p) => p.functionCall);
    assert.deepEqual(made.map((p) => [p.functionCall.name, p.functionCall.args]), wanted);
    const results = made.map((p, i) => ({ functionResponse: { id: p.functionCall.id, name: p.functionCall.name, response: { result: i } } }));
    const contents = [{ role: 'user', parts: [{ text: 'hi' }] }, { role: 'model', parts: made }, { role: 'user', parts: results }];
    assert.equal((await generate({ tools }, { contents })).text, 'The tool said: {"result":1}');
    assert.deepEqual((await sent('/chat/completions')).messages.map((m) => m.role), ['user', 'assistant', 'tool', 'tool']);
  });
}

test('system, settings, image', async () => {
  const contents = [{ role: 'user', parts: [{ text: 'What?' }, { inlineData: { mimeType: 'image/png', data: 'aGk=' } }] }];
  await generate({ systemInstruction: 'Be brief.', temperature: 0.5, maxOutputTokens: 50 }, { contents });
  const body = await sent('/chat/completions');
  assert.deepEqual([body.messages[0].content, body.temperature], ['Be brief.', 0.5]);
  assert.equal(body.messages[1].content[1].image_url.url, 'data:image/png;base64,aGk=');
  assert.equal((await generate({ maxOutputTokens: 2 })).candidates[0].finishReason, 'MAX_TOKENS');
  assert.equal((await generate({ stopSequences: ['naïve'] })).text, 'Ahoy! The café is ');
});

test('structured answer', async () => {
  const schema = { type: 'object', properties: { kind: { type: 'string' }, legs: { type: 'integer' } }, required: ['kind', 'legs'] };
  for (const form of ['responseSchema', 'responseJsonSchema']) {
    const answer = await generate({ responseMimeType: 'application/json', [form]: schema });
    assert.deepEqual(JSON.parse(answer.text), { kind: 'Paris', legs: 7 }, form);
  }
});

test('thinking', async () => {
  const config = { thinkingConfig: { includeThoughts: true } };
  for (const answers of [[await generate(config, { model: 'thinks' })], await follow(config, { model: 'thinks' })]) {
    assert.ok(parts(answers).some((p) => p.thought && p.text));
    assert.equal(text(answers), sentence);
    assert.equal(answers.at(-1).usageMetadata.thoughtsTokenCount, 40);
  }
});

test('embeddings and models', async () => {
  const answer = await client.models.embedContent({ model: embed, contents: ['sea', 'mañana'], config: { outputDimensionality: 5 } });
  assert.deepEqual(answer.embeddings.map((row) => row.values.length), [5, 5]);
  const names = (await collect(await client.models.list())).map((m) => m.name);
  assert.ok(names.includes('models/' + model));
});

for (const [name, status] of [['nobody', 404], ['limited', 429], ['failing', 502], ['overloaded', 503], ['page', 502], ['garbage', 502]]) {
  test(`upstream ${name}`, async () => {
    const fits = (e) => e instanceof genai.ApiError && e.status === status && Boolean(e.message);
    await assert.rejects(generate({}, { model: name }), fits);
    await assert.rejects(follow({}, { model: name }), fits);
  });
}

test('wrong key', () => assert.rejects(connect('wrong').models.generateContent({ model, contents: 'hi' }), (e) => e.status === 401));

for (const name of ['stillborn', 'breaks', 'cut', 'reset', 'mute']) {
  test(`broken stream raises and never finishes: ${name}`, async () => {
    const seen = [];
    await assert.rejects(async () => {
      for await (const chunk of await client.models.generateContentStream({ model: name, contents: 'hi' })) seen.push(chunk);
    });
    assert.ok(sentence.startsWith(text(seen)) && !seen.some((c) => c.candidates?.[0]?.finishReason));
  });
}

for (const name of ['undone', 'odd', 'fields', 'fallback', 'fallback-cut']) {
  test(`complete stream: ${name}`, async () => assert.equal(text(await follow({}, { model: name })), sentence));
}

test('leaving cancels upstream', async () => {
  const { gone } = await upstream('counts');
  const abort = new AbortController();
  const stream = await client.models.generateContentStream({ model: 'endless', contents: 'hi', config: { abortSignal: abort.signal } });
  await stream.next();
  abort.abort();
  assert.equal((await upstream(`counts?gone=${gone + 1}`)).gone, gone + 1);
});
