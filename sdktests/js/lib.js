// Shared by the JavaScript suites: the client, and what the environment says about the server under test. sdk_test.go
// starts the server and sets the environment; see python/conftest.py for what each variable means.
'use strict';
const test = require('node:test');
const OpenAI = require('openai').default;

const real = process.env.FAIRLEAD_REAL === '1';
const direct = process.env.FAIRLEAD_SDK_DIRECT === '1';
const model = process.env.FAIRLEAD_MODEL || 'chat';
const embed = process.env.FAIRLEAD_EMBED_MODEL || 'embed';

function client(options) {
  return new OpenAI({
    baseURL: process.env.FAIRLEAD_BASE_URL,
    apiKey: process.env.FAIRLEAD_API_KEY,
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

const ask = (text = 'hi') => [{ role: 'user', content: text }];

// A test that needs Fairlead between the SDK and the upstream.
const gateway = direct ? () => {} : test;

module.exports = { OpenAI, ask, client, direct, embed, gateway, model, real, upstream };
