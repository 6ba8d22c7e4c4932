// The official JavaScript SDK against the fake upstream: every answer is known to the byte.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const { z } = require('zod');
const { zodResponseFormat } = require('openai/helpers/zod');
const { OpenAI, ask, client: connect, direct, embed, gateway, model, sentence, upstream } = require('./lib.js');

const client = connect();

const tool = (name, properties) => ({
  type: 'function',
  function: {
    name,
    parameters: { type: 'object', properties, required: Object.keys(properties), additionalProperties: false },
  },
});
const tools = [tool('weather', { city: { type: 'string' }, days: { type: 'integer' } }), tool('clock', { zone: { type: 'string' } })];
const calls = [
  ['weather', '{"city":"Paris","days":7}'],
  ['clock', '{"zone":"Paris"}'],
];

function vector(text, dimensions) {
  const sum = Buffer.from(text).reduce((a, b) => a + b, 0);
  return Array.from({ length: dimensions }, (_, i) => (((sum + 31 * i) % 257) - 128) / 128);
}

async function collect(stream) {
  const got = { text: '', finish: [], usage: [] };
  for await (const chunk of stream) {
    if (chunk.usage) got.usage.push(chunk.usage);
    for (const choice of chunk.choices) {
      got.text += choice.delta.content ?? '';
      if (choice.finish_reason) got.finish.push(choice.finish_reason);
    }
  }
  return got;
}

// Chat

test('chat', async () => {
  const answer = await client.chat.completions.create({ model, messages: ask() });
  assert.equal(answer.choices[0].message.content, sentence);
  assert.equal(answer.choices[0].finish_reason, 'stop');
  assert.equal(answer.usage.total_tokens, 19);
  assert.ok(answer._request_id);
});

test('stream without usage', async () => {
  const stream = await client.chat.completions.create({ model, messages: ask(), stream: true });
  assert.deepEqual(await collect(stream), { text: sentence, finish: ['stop'], usage: [] });
});

test('stream with usage', async () => {
  const stream = await client.chat.completions.create({
    model, messages: ask(), stream: true, stream_options: { include_usage: true },
  });
  const got = await collect(stream);
  assert.deepEqual([got.text, got.finish, got.usage.length], [sentence, ['stop'], 1]);
  assert.equal(got.usage[0].completion_tokens, 14);
});

test('stream helper', async () => {
  const stream = client.chat.completions.stream({ model, messages: ask(), stream_options: { include_usage: true } });
  let pieces = 0;
  stream.on('content', () => pieces++);
  assert.equal(await stream.finalContent(), sentence);
  assert.equal((await stream.totalUsage()).total_tokens, 19);
  assert.ok(pieces >= 14, `${pieces} pieces`);
});

test('two answers', async () => {
  const want = [sentence, sentence + ' (answer 2)'];
  const answer = await client.chat.completions.create({ model, messages: ask(), n: 2 });
  assert.deepEqual(answer.choices.map((c) => c.message.content), want);
  const stream = client.chat.completions.stream({ model, messages: ask(), n: 2 });
  const final = await stream.finalChatCompletion();
  assert.deepEqual(final.choices.map((c) => c.message.content), want);
});

test('stop and length', async () => {
  const stopped = await client.chat.completions.create({ model, messages: ask(), stop: 'naïve' });
  assert.equal(stopped.choices[0].message.content, 'Ahoy! The café is ');
  const short = await client.chat.completions.create({ model, messages: ask(), max_tokens: 2 });
  assert.equal(short.choices[0].finish_reason, 'length');
});

test('logprobs', async () => {
  const options = { model, messages: ask(), logprobs: true, top_logprobs: 2 };
  const answer = await client.chat.completions.create(options);
  const tokens = answer.choices[0].logprobs.content;
  assert.equal(tokens.map((t) => t.token).join(''), sentence);
  assert.equal(tokens[3].top_logprobs.length, 2);
  const final = await client.chat.completions.stream(options).finalChatCompletion();
  assert.deepEqual(final.choices[0].logprobs.content, tokens);
});

test('refusal', async () => {
  const answer = await client.chat.completions.create({ model: 'refuses', messages: ask() });
  assert.equal(answer.choices[0].message.refusal, 'I cannot help with that.');
  const final = await client.chat.completions.stream({ model: 'refuses', messages: ask() }).finalChatCompletion();
  assert.equal(final.choices[0].message.refusal, 'I cannot help with that.');
});

test('usage details and unknown fields', async () => {
  const answer = await client.chat.completions.create({ model: 'thinks', messages: ask() });
  assert.equal(answer.usage.completion_tokens_details.reasoning_tokens, 40);
  assert.equal(answer.usage.prompt_tokens_details.cached_tokens, 3);
  assert.ok(answer.choices[0].message.reasoning_content);
});

// Tools and structured answers

test('tools', async () => {
  const answer = await client.chat.completions.create({ model, messages: ask(), tools });
  assert.equal(answer.choices[0].finish_reason, 'tool_calls');
  assert.deepEqual(answer.choices[0].message.tool_calls.map((c) => [c.function.name, c.function.arguments]), calls);
  const one = await client.chat.completions.create({ model, messages: ask(), tools, parallel_tool_calls: false });
  assert.equal(one.choices[0].message.tool_calls.length, 1);
});

test('tools streamed', async () => {
  const stream = client.chat.completions.stream({ model, messages: ask(), tools });
  const done = [];
  stream.on('tool_calls.function.arguments.done', (event) => done.push([event.name, event.arguments]));
  const final = await stream.finalChatCompletion();
  assert.deepEqual(done, calls);
  assert.deepEqual(final.choices[0].message.tool_calls.map((c) => [c.function.name, c.function.arguments]), calls);
});

for (const stream of [false, true]) {
  test(`runTools, stream ${stream}`, async () => {
    const asked = [];
    const own = (name, properties) => ({
      type: 'function',
      function: {
        ...tool(name, properties).function,
        parse: JSON.parse,
        function: (args) => { asked.push([name, args]); return '17 °C'; },
      },
    });
    const runner = client.chat.completions.runTools({
      model, stream, messages: ask(), tools: [own('weather', { city: { type: 'string' } }), own('clock', { zone: { type: 'string' } })],
    });
    assert.equal(await runner.finalContent(), 'The tool said: 17 °C');
    assert.deepEqual(asked, [['weather', { city: 'Paris' }], ['clock', { zone: 'Paris' }]]);
  });
}

test('structured answer', async () => {
  const Person = z.object({ name: z.string(), pets: z.array(z.object({ kind: z.enum(['cat', 'dog']), legs: z.number().int() })) });
  const want = { name: 'Paris', pets: [{ kind: 'cat', legs: 7 }] };
  const options = { model, messages: ask(), response_format: zodResponseFormat(Person, 'person') };
  const answer = await client.chat.completions.parse(options);
  assert.deepEqual(answer.choices[0].message.parsed, want);
  const final = await client.chat.completions.stream(options).finalChatCompletion();
  assert.deepEqual(final.choices[0].message.parsed, want);
});

// Completions, embeddings, models

test('completions', async () => {
  const answer = await client.completions.create({ model, prompt: 'Once', max_tokens: 3 });
  assert.equal(answer.choices[0].text, 'Ahoy! The café');
  let text = '';
  let finish;
  for await (const chunk of await client.completions.create({ model, prompt: 'Once', max_tokens: 3, stream: true })) {
    text += chunk.choices[0].text;
    finish = chunk.choices[0].finish_reason ?? finish;
  }
  assert.deepEqual([text, finish], ['Ahoy! The café', 'length']);
});

test('embeddings', async () => {
  const input = ['sea', 'mañana'];
  const base64 = await client.embeddings.create({ model: embed, input }); // the SDK asks for base64 by itself
  const floats = await client.embeddings.create({ model: embed, input, encoding_format: 'float' });
  for (const answer of [base64, floats]) {
    assert.deepEqual(answer.data.map((row) => Array.from(row.embedding)), input.map((text) => vector(text, 64)));
    assert.equal(answer.usage.total_tokens, 10);
  }
  const short = await client.embeddings.create({ model: embed, input: 'sea', dimensions: 5 });
  assert.deepEqual(Array.from(short.data[0].embedding), vector('sea', 5));
});

test('models', async () => {
  const names = [];
  for await (const entry of client.models.list()) names.push(entry.id);
  assert.ok(names.includes(model) && names.includes(embed), names.join());
  assert.equal((await client.models.retrieve(model)).id, model);
  await assert.rejects(client.models.retrieve('nobody'), OpenAI.NotFoundError);
});

// Errors

const rejects = async (promise, type, check) => {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof type, `${error.constructor.name}: ${error.message}`);
    check?.(error);
    return true;
  });
};

test('wrong key', () =>
  rejects(connect({ apiKey: 'wrong' }).chat.completions.create({ model, messages: ask() }), OpenAI.AuthenticationError, (e) =>
    assert.deepEqual([e.status, e.code], [401, 'invalid_api_key']),
  ));

for (const stream of [false, true]) {
  const create = (name, more) => client.chat.completions.create({ model: name, messages: ask(), stream, ...more });

  test(`unknown model, stream ${stream}`, () =>
    rejects(create('nobody'), OpenAI.NotFoundError, (e) => assert.equal(e.code, 'model_not_found')));

  test(`bad request, stream ${stream}`, () =>
    rejects(create(model, { temperature: 3 }), OpenAI.BadRequestError, (e) =>
      assert.deepEqual([e.param, e.type], ['temperature', 'invalid_request_error']),
    ));

  test(`rate limit, stream ${stream}`, () =>
    rejects(create('limited'), OpenAI.RateLimitError, (e) => {
      const seconds = Number(e.headers.get('retry-after'));
      assert.ok(seconds >= 1 && seconds <= 7, `${seconds}`);
    }));

  for (const name of ['failing', 'overloaded']) {
    test(`upstream ${name}, stream ${stream}`, () =>
      rejects(create(name), OpenAI.InternalServerError, (e) => assert.ok(e.status >= 500 && e.message)));
  }

  for (const name of ['page', 'garbage', 'empty', 'unauthorized']) {
    gateway(`upstream says ${name}, stream ${stream}`, () =>
      rejects(create(name), OpenAI.InternalServerError, (e) => assert.equal(e.status, 502)));
  }
}

test('a passing failure is retried', async () => {
  await upstream('next', 'status=503');
  const answer = await connect({ maxRetries: 1 }).chat.completions.create({ model, messages: ask() });
  assert.equal(answer.choices[0].message.content, sentence);
});

// Streams that break

test('error before output', async () => {
  const create = async () => collect(await client.chat.completions.create({ model: 'stillborn', messages: ask(), stream: true }));
  await rejects(create(), OpenAI.APIError, (e) => assert.ok(direct || e.status >= 500, `status ${e.status}`));
});

for (const name of ['breaks', 'cut', 'reset', ...(direct ? [] : ['mute'])]) {
  test(`broken stream raises and never finishes: ${name}`, async () => {
    let text = '';
    let finish = null;
    await assert.rejects(async () => {
      for await (const chunk of await client.chat.completions.create({ model: name, messages: ask(), stream: true })) {
        text += chunk.choices[0]?.delta.content ?? '';
        finish ??= chunk.choices[0]?.finish_reason;
      }
    });
    assert.ok(finish == null && sentence.startsWith(text), `${finish} ${text}`);
    if (name === 'breaks') assert.notEqual(text, '');
  });
}

test('no [DONE] is complete', async () => {
  const stream = await client.chat.completions.create({ model: 'undone', messages: ask(), stream: true });
  assert.deepEqual(await collect(stream), { text: sentence, finish: ['stop'], usage: [] });
});

for (const name of ['odd', 'fields']) {
  test(`framing: ${name}`, async () => {
    const stream = await client.chat.completions.create({ model: name, messages: ask(), stream: true });
    assert.equal((await collect(stream)).text, sentence);
  });
}

test('a client that leaves cancels upstream', async () => {
  const { gone } = await upstream('counts');
  const stream = await client.chat.completions.create({ model: 'endless', messages: ask(), stream: true });
  for await (const chunk of stream) if (chunk.choices[0].delta.content) break;
  assert.equal((await upstream(`counts?gone=${gone + 1}`)).gone, gone + 1);
});

test('a client that aborts before the answer cancels upstream', async () => {
  const { gone, total } = await upstream('counts');
  const controller = new AbortController();
  const asked = client.chat.completions.create({ model: 'silent', messages: ask() }, { signal: controller.signal });
  const refused = assert.rejects(asked, OpenAI.APIUserAbortError);
  await upstream(`counts?total=${total + 1}`);
  controller.abort();
  await refused;
  assert.equal((await upstream(`counts?gone=${gone + 1}`)).gone, gone + 1);
});

// What Fairlead adds

gateway('headers', async () => {
  const { data, response } = await client.chat.completions
    .create({ model, messages: ask() }, { headers: { 'x-fairlead-task': 'greet' } })
    .withResponse();
  for (const name of ['id', 'target', 'route', 'cost-usd', 'cost-state', 'cache', 'overhead-ms']) {
    assert.ok(response.headers.get('x-fairlead-' + name), name);
  }
  assert.equal(response.headers.get('x-fairlead-target'), model);
  assert.equal(data.choices[0].message.content, sentence);
});

gateway('headers of a stream', async () => {
  const { data, response } = await client.chat.completions.create({ model, messages: ask(), stream: true }).withResponse();
  assert.ok(response.headers.get('x-fairlead-id'));
  assert.equal((await collect(data)).text, sentence);
});

gateway('metadata is taken out', async () => {
  const answer = await client.chat.completions.create({
    model: 'echo', messages: ask(), metadata: { fairlead_task: 'greet', own: 'kept' },
  });
  const seen = answer.choices[0].message.content;
  assert.ok(!seen.includes('fairlead') && seen.includes('"own"'), seen);
});

for (const name of ['fallback', 'fallback-cut']) {
  gateway(`${name} is invisible`, async () => {
    const stream = await client.chat.completions.create({ model: name, messages: ask(), stream: true });
    assert.deepEqual(await collect(stream), { text: sentence, finish: ['stop'], usage: [] });
  });
}
