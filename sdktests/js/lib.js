// Shared by the JavaScript suites: OpenAI's client, and what the environment says about the server under test. sdk_test.go
// starts the server and sets the environment; see python/conftest.py for what each variable means.
'use strict';
const test = require('node:test');
const { pathToFileURL } = require('node:url');
const OpenAI = require('openai').default;

const real = process.env.FAIRLEAD_REAL === '1';
const direct = process.env.FAIRLEAD_SDK_DIRECT === '1';
const model = process.env.FAIRLEAD_MODEL || 'chat';
const url = process.env.FAIRLEAD_BASE_URL.replace(/\/v1$/, ''); // what the SDKs of others take as the base
const key = process.env.FAIRLEAD_API_KEY;
const sentence = 'Ahoy! The café is naïve — 你好 — and the ship 🚢 sails on.';
const embed = process.env.FAIRLEAD_EMBED_MODEL || 'embed';

function client(options) {
  return new OpenAI({
    baseURL: process.env.FAIRLEAD_BASE_URL,
    apiKey: key,
    timeout: 60_000,
    maxRetries: 0,
    ...options,
  });
}

// Asks or steers the fake upstream; see control.go of internal/testkit.
async function upstream(path, body) {
  const answer = await fetch(`${process.env.FAIRLEAD_FAKE_URL}/_fake/${path}`, body ? { method: 'POST', body } : {});
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  const text = await answer.text();
  return text ? JSON.parse(text) : null;
}

// What the fake upstream was sent last, on a path that holds this: the body.
async function sent(path) {
  const rows = (await upstream('requests')).filter((row) => row.method === 'POST' && row.path.includes(path));
  return JSON.parse(rows.at(-1).body);
}

// Loads a package that has no CommonJS form; node finds those by NODE_PATH only so.
const load = (name) => import(pathToFileURL(require.resolve(name)));

async function collect(stream) {
  const all = [];
  for await (const item of stream) all.push(item);
  return all;
}

const ask = (text = 'hi') => [{ role: 'user', content: text }];

// A test that needs Fairlead between the SDK and the upstream.
const gateway = direct ? () => {} : test;

module.exports = { OpenAI, ask, client, collect, direct, embed, gateway, key, load, model, real, sent, sentence, upstream, url };
