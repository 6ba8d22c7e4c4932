"""Targets that speak Anthropic's and Gemini's dialects, asked by their own SDK, by OpenAI's and by each other's.

The fake checks what it is sent: keys and versions, signatures of thought, and turns that must begin with their thought.
"""

import json

import anthropic
import openai
import pytest
from google.genai import errors, types

from conftest import SENTENCE, ask, make_client, sent
from test_anthropic import CALLS, TOOLS, calls, client as claude, create, follow
from test_genai import TOOLS as FUNCTIONS, calls as function_calls, client as gemini, generate, stream as generate_stream
from test_responses import TOOLS as RESPONSES_TOOLS

SIGNATURE = "EqQBCkYIAxgCKkD+/thought/of/the/fake+signed=="
THINKING = {"type": "enabled", "budget_tokens": 1024}
TARGETS = ["claude", "gemini"]

chat = make_client()
OPENAI_TOOLS = [{"type": "function", "function": {"name": t["name"], "parameters": t["input_schema"]}} for t in TOOLS]


def complete(model, messages=None, **options):
    return chat.chat.completions.create(model=model, messages=messages or ask(), **options)


def helper(model, messages=None, **options):
    options["stream_options"] = {"include_usage": True}
    with chat.chat.completions.stream(model=model, messages=messages or ask(), **options) as stream:
        return stream.get_final_completion()


# Anthropic's SDK before Anthropic's API: bytes pass through


def test_claude_by_its_own_sdk():
    raw = claude.messages.with_raw_response.create(model="claude", max_tokens=100, messages=ask())
    assert not raw.headers.get("x-fairlead-loss") and raw.headers["x-fairlead-target"] == "claude"
    assert (raw.parse().content[0].text, raw.parse().usage.input_tokens) == (SENTENCE, 9)
    events, final = follow("claude")
    assert (final.content[0].text, final.stop_reason) == (SENTENCE, "end_turn")
    assert final.usage.service_tier == "standard" and final.usage.output_tokens == 14


def test_what_fairlead_does_not_know_goes_through():
    claude.messages.create(
        model="claude", max_tokens=100, messages=ask(), extra_headers={"anthropic-beta": "a-beta-2026-01-01,another-2026-02-02"},
        extra_body={"never_heard_of": {"it": [1, 2]}, "context_management": {"edits": []}, "top_k": 5},
    )
    body, headers = sent("/v1/messages")
    assert body["never_heard_of"] == {"it": [1, 2]} and body["context_management"] == {"edits": []} and body["top_k"] == 5
    assert headers["anthropic-beta"] == "a-beta-2026-01-01,another-2026-02-02"
    assert headers["anthropic-version"] == claude.default_headers["anthropic-version"]
    assert "authorization" not in headers and headers["x-api-key"] == "sk-upstream-9876543210"


def test_beta_surface():
    answer = claude.beta.messages.create(model="claude", max_tokens=100, messages=ask(), betas=["a-beta-2026-01-01"])
    assert answer.content[0].text == SENTENCE
    assert sent("/v1/messages")[1]["anthropic-beta"] == "a-beta-2026-01-01"


def test_claude_counts_tokens():
    few = claude.messages.count_tokens(model="claude", messages=ask())
    many = claude.messages.count_tokens(model="claude", messages=ask("word " * 100), tools=TOOLS)
    assert 0 < few.input_tokens < many.input_tokens


@pytest.mark.parametrize("streamed", [False, True])
def test_claude_thinks_over_two_turns(streamed):
    options = {"thinking": THINKING, "max_tokens": 2000, "tools": TOOLS}
    answer = follow("claude", **options)[1] if streamed else create("claude", **options)
    assert [block.type for block in answer.content] == ["thinking", "tool_use", "tool_use"]
    assert answer.content[0].signature == SIGNATURE
    results = [{"type": "tool_result", "tool_use_id": block.id, "content": "17 °C"} for block in answer.content[1:]]
    turns = [*ask(), {"role": "assistant", "content": answer.content}, {"role": "user", "content": results}]
    assert create("claude", messages=turns, **options).content[-1].text == "The tool said: 17 °C"
    assert sent("/v1/messages")[0]["messages"][1]["content"][0]["signature"] == SIGNATURE


def test_claude_usage_classes():
    cached = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]
    for usage in (create("claude-counts", system=cached).usage, follow("claude-counts", system=cached)[1].usage):
        assert (usage.cache_creation_input_tokens, usage.cache_read_input_tokens) == (11, 3)
        assert usage.output_tokens_details.thinking_tokens == 20


@pytest.mark.parametrize("stream", [False, True])
def test_claude_errors(stream):
    for model, error, kind in [
        ("claude-limited", anthropic.RateLimitError, "rate_limit_error"), ("claude-overloaded", anthropic.APIStatusError, "overloaded_error"),
        ("claude-failing", anthropic.InternalServerError, "api_error"), ("claude-unauthorized", anthropic.InternalServerError, "api_error"),
    ]:
        with pytest.raises(error) as caught:
            create(model, stream=stream)
        assert caught.value.body["error"]["type"] == kind and caught.value.status_code >= 429


@pytest.mark.parametrize("model", ["claude-breaks", "claude-cut", "claude-mute", "gemini-breaks", "gemini-cut", "gemini-mute"])
def test_broken_streams_never_finish(model):
    with pytest.raises(anthropic.APIError):
        follow(model)
    seen = []
    with pytest.raises(openai.APIError):
        for chunk in complete(model, stream=True):
            seen.append(chunk)
    assert not any(choice.finish_reason for chunk in seen for choice in chunk.choices)
    seen = []
    with pytest.raises(errors.APIError):
        for chunk in generate_stream(model):
            seen.append(chunk)
    assert not any(chunk.candidates[0].finish_reason for chunk in seen)
    assert SENTENCE.startswith("".join(chunk.text or "" for chunk in seen))


@pytest.mark.parametrize("model", ["claude-undone", "claude-odd", "gemini-odd"])
def test_odd_streams_are_complete(model):
    assert follow(model)[1].content[0].text == SENTENCE
    assert helper(model).choices[0].message.content == SENTENCE
    assert "".join(chunk.text or "" for chunk in generate_stream(model)) == SENTENCE


# OpenAI's SDK before both


@pytest.mark.parametrize("model", TARGETS)
def test_chat(model):
    for answer in (complete(model), helper(model)):
        choice = answer.choices[0]
        assert (choice.message.content, choice.finish_reason) == (SENTENCE, "stop")
        assert answer.usage.completion_tokens == 14
        assert answer.usage.prompt_tokens > 0 and answer.usage.total_tokens == answer.usage.prompt_tokens + 14


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("model", TARGETS)
def test_tools_over_two_turns(model, streamed):
    ask_for = helper if streamed else complete
    answer = ask_for(model, tools=OPENAI_TOOLS).choices[0]
    assert answer.finish_reason == "tool_calls"
    assert [(call.function.name, json.loads(call.function.arguments)) for call in answer.message.tool_calls] == CALLS
    message = answer.message.model_dump(exclude_none=True, exclude={"parsed"})
    for call in message["tool_calls"]:
        call["function"].pop("parsed_arguments", None)
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "17 °C"} for call in message["tool_calls"]]
    second = complete(model, [*ask(), message, *results], tools=OPENAI_TOOLS)
    assert "17 °C" in second.choices[0].message.content


@pytest.mark.parametrize("streamed", [False, True])
def test_claude_thinks_for_openai_over_two_turns(streamed):
    ask_for = helper if streamed else complete
    answer = ask_for("claude", tools=OPENAI_TOOLS, reasoning_effort="low", max_completion_tokens=4000).choices[0].message
    kept = answer.model_dump(exclude_none=True, exclude={"parsed"})
    assert kept["reasoning_details"], "the signature travels here"
    for call in kept["tool_calls"]:
        call["function"].pop("parsed_arguments", None)
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "17 °C"} for call in kept["tool_calls"]]
    complete("claude", [*ask(), kept, *results], tools=OPENAI_TOOLS, reasoning_effort="low", max_completion_tokens=4000)
    turn = sent("/v1/messages")[0]["messages"][1]["content"]
    assert [block["type"] for block in turn] == ["thinking", "tool_use", "tool_use"]
    assert turn[0]["signature"] == SIGNATURE


@pytest.mark.parametrize("streamed", [False, True])
def test_claude_thinks_for_responses_over_two_turns(streamed):
    options = {"model": "claude", "tools": RESPONSES_TOOLS, "reasoning": {"effort": "low", "summary": "auto"}, "max_output_tokens": 4000, "include": ["reasoning.encrypted_content"]}
    if streamed:
        with chat.responses.stream(input="hi", **options) as stream:
            stream.until_done()
            answer = stream.get_final_response()
    else:
        answer = chat.responses.create(input="hi", **options)
    assert [item.type for item in answer.output] == ["reasoning", "function_call", "function_call"]
    assert answer.output[0].encrypted_content
    results = [{"type": "function_call_output", "call_id": item.call_id, "output": "17 °C"} for item in answer.output[1:]]
    second = chat.responses.create(input=[*ask(), *answer.output, *results], **options)
    assert second.output_text == "The tool said: 17 °C"
    assert sent("/v1/messages")[0]["messages"][1]["content"][0]["signature"] == SIGNATURE


def test_usage_classes_for_openai():
    cached = [{"role": "system", "content": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]}, *ask()]
    for usage in (complete("claude-counts", cached).usage, helper("claude-counts", cached).usage):
        details = usage.prompt_tokens_details
        assert (details.cached_tokens, details.cache_write_tokens) == (3, 11)
        assert usage.completion_tokens_details.reasoning_tokens == 20
        assert usage.prompt_tokens > 14 and usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    for usage in (complete("gemini-counts").usage, helper("gemini-counts").usage):
        assert usage.prompt_tokens_details.cached_tokens == 3
        assert (usage.completion_tokens, usage.completion_tokens_details.reasoning_tokens) == (34, 20)


@pytest.mark.parametrize("model", TARGETS)
def test_settings(model):
    assert complete(model, stop=["naïve"]).choices[0].message.content == "Ahoy! The café is "
    assert complete(model, max_completion_tokens=2).choices[0].finish_reason == "length"
    answer = complete(model, response_format={"type": "json_schema", "json_schema": {"name": "pet", "schema": TOOLS[0]["input_schema"], "strict": True}})
    assert json.loads(answer.choices[0].message.content) == {"city": "Paris", "days": 7}
    raw = chat.chat.completions.with_raw_response.create(model=model, messages=ask(), logit_bias={"50256": -100})
    assert "logit_bias" in raw.headers["x-fairlead-loss"]


@pytest.mark.parametrize("model", TARGETS)
def test_image(model):
    url = "data:image/png;base64,aGk="
    complete(model, [{"role": "user", "content": [{"type": "text", "text": "What?"}, {"type": "image_url", "image_url": {"url": url}}]}])
    assert '"aGk="' in json.dumps(sent("/v1/messages" if model == "claude" else "/v1beta")[0])


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", TARGETS)
def test_errors(model, stream):
    with pytest.raises(openai.RateLimitError) as caught:
        complete(model + "-limited", stream=stream)
    assert 1 <= int(caught.value.response.headers["retry-after"]) <= 7
    for name, status in (("-failing", 502), ("-overloaded", 503)):
        with pytest.raises(openai.InternalServerError) as caught:
            complete(model + name, stream=stream)
        assert caught.value.status_code == status


def test_refusals():
    for answer in (complete("claude-refuses"), complete("gemini-refuses")):
        assert answer.choices[0].finish_reason == "content_filter"


@pytest.mark.parametrize("model", ["to-claude", "to-gemini"])
def test_fallback_over_dialects(model):
    for text in (
        complete(model).choices[0].message.content, helper(model).choices[0].message.content, create(model).content[0].text,
        follow(model)[1].content[0].text, generate(model).text, "".join(chunk.text or "" for chunk in generate_stream(model)),
        chat.responses.create(model=model, input="hi").output_text,
    ):
        assert text == SENTENCE


# Each other's


@pytest.mark.parametrize("streamed", [False, True])
def test_gemini_by_its_own_sdk(streamed):
    thoughts = types.ThinkingConfig(include_thoughts=True)
    answers = list(generate_stream("gemini", tools=FUNCTIONS, thinking_config=thoughts)) if streamed else [generate("gemini", tools=FUNCTIONS, thinking_config=thoughts)]
    assert function_calls(answers) == CALLS
    parts = [part for answer in answers for part in answer.candidates[0].content.parts or [] if part.function_call]
    assert parts[0].thought_signature == b"signed by the fake!"
    back = [types.Part.from_function_response(name=part.function_call.name, response={"n": 1}) for part in parts]
    turns = [types.UserContent("hi"), types.Content(role="model", parts=parts), types.Content(role="user", parts=back)]
    assert "The tool said" in generate("gemini", contents=turns, tools=FUNCTIONS).text
    assert gemini.models.count_tokens(model="gemini", contents="hi").total_tokens > 0


@pytest.mark.parametrize("streamed", [False, True])
def test_gemini_by_anthropics_sdk(streamed):
    answer = follow("gemini", tools=TOOLS)[1] if streamed else create("gemini", tools=TOOLS)
    assert calls(answer) == CALLS and answer.stop_reason == "tool_use"
    results = [{"type": "tool_result", "tool_use_id": block.id, "content": "17 °C"} for block in answer.content if block.type == "tool_use"]
    turns = [*ask(), {"role": "assistant", "content": answer.content}, {"role": "user", "content": results}]
    assert "17 °C" in create("gemini", messages=turns, tools=TOOLS).content[0].text, "the signature of the call came back, or it was refused"
    assert claude.messages.count_tokens(model="gemini", messages=ask()).input_tokens > 0


@pytest.mark.parametrize("streamed", [False, True])
def test_claude_by_googles_sdk(streamed):
    thoughts = types.ThinkingConfig(include_thoughts=True, thinking_budget=1024)
    options = {"tools": FUNCTIONS, "thinking_config": thoughts, "max_output_tokens": 4000}
    answers = list(generate_stream("claude", **options)) if streamed else [generate("claude", **options)]
    assert function_calls(answers) == CALLS
    parts = [part for answer in answers if answer.candidates for part in answer.candidates[0].content.parts or []]
    back = [
        types.Part(function_response=types.FunctionResponse(id=part.function_call.id, name=part.function_call.name, response={"output": "17 °C"}))
        for part in parts if part.function_call
    ]
    turns = [types.UserContent("hi"), types.Content(role="model", parts=parts), types.Content(role="user", parts=back)]
    assert "17 °C" in generate("claude", contents=turns, **options).text
    assert sent("/v1/messages")[0]["messages"][1]["content"][0]["signature"] == SIGNATURE
    assert gemini.models.count_tokens(model="claude", contents="hi").total_tokens > 0


# One conversation, each turn at another's


@pytest.mark.parametrize("first", ["chat", "claude", "gemini"])
@pytest.mark.parametrize("then", ["chat", "claude", "gemini"])
def test_a_conversation_moves_on(first, then):
    """A plan may fall back between a call of a tool and its result."""
    thinking = {"thinking": THINKING, "max_tokens": 2000} if first == "claude" else {}
    answer = create(first, tools=TOOLS, **thinking)
    results = [{"type": "tool_result", "tool_use_id": block.id, "content": "17 °C"} for block in answer.content if block.type == "tool_use"]
    turns = [*ask(), {"role": "assistant", "content": answer.content}, {"role": "user", "content": results}]
    raw = claude.messages.with_raw_response.create(model=then, max_tokens=100, messages=turns, tools=TOOLS)
    assert "17 °C" in raw.parse().content[0].text
    signed = any(block.type == "thinking" for block in answer.content)
    assert ("signature" in (raw.headers.get("x-fairlead-loss") or "")) == (signed and first != then)

    answer = complete(first, tools=OPENAI_TOOLS).choices[0].message.model_dump(exclude_none=True)
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "17 °C"} for call in answer["tool_calls"]]
    assert "17 °C" in complete(then, [*ask(), answer, *results], tools=OPENAI_TOOLS).choices[0].message.content
