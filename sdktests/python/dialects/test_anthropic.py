"""Anthropic's Python SDK against targets that speak OpenAI's dialect: every answer is known to the byte."""

import asyncio
import base64
import json

import anthropic
import pytest

from conftest import KEY, MODEL, PATIENCE, SENTENCE, URL, ask, sent, upstream

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n not a whole picture").decode()


def make(**options):
    return anthropic.Anthropic(**{"base_url": URL, "api_key": KEY, "timeout": PATIENCE, "max_retries": 0, **options})


client = make()


def tool(name, **properties):
    kinds = {key: {"type": kind} for key, kind in properties.items()}
    schema = {"type": "object", "properties": kinds, "required": list(kinds), "additionalProperties": False}
    return {"name": name, "description": f"Tells the {name}.", "input_schema": schema}


TOOLS = [tool("weather", city="string", days="integer"), tool("clock", zone="string")]
CALLS = [("weather", {"city": "Paris", "days": 7}), ("clock", {"zone": "Paris"})]


def create(model=MODEL, text="hi", **options):
    return client.messages.create(**{"model": model, "max_tokens": 100, "messages": ask(text), **options})


def follow(model=MODEL, text="hi", **options):
    """Reads a stream with the SDK's accumulator; returns its events and its final message."""
    with client.messages.stream(**{"model": model, "max_tokens": 100, "messages": ask(text), **options}) as stream:
        return list(stream), stream.get_final_message()


def calls(message):
    return [(block.name, block.input) for block in message.content if block.type == "tool_use"]


def test_message():
    answer = create()
    assert (answer.type, answer.role, answer.model) == ("message", "assistant", MODEL)
    assert [(block.type, block.text) for block in answer.content] == [("text", SENTENCE)]
    assert (answer.stop_reason, answer.stop_sequence) == ("end_turn", None)
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (5, 14)
    assert answer.id and answer._request_id


def test_stream():
    events, final = follow()
    assert [(block.type, block.text) for block in final.content] == [("text", SENTENCE)]
    assert final.stop_reason == "end_turn"
    assert (final.usage.input_tokens, final.usage.output_tokens) == (5, 14)
    kinds = [event.type for event in events if event.type != "text"]
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert kinds.count("content_block_delta") == 14, "pieces go on as they come"
    start = next(event for event in events if event.type == "message_start")
    assert start.message.usage.input_tokens > 0, "never zero, an estimate at the least"
    assert start.message.content == [] and start.message.stop_reason is None


def test_raw_stream():
    text, stop, usage = "", None, None
    for event in create(stream=True):
        if event.type == "content_block_delta":
            text += event.delta.text
        if event.type == "message_delta":
            stop, usage = event.delta.stop_reason, event.usage
    assert (text, stop, usage.output_tokens) == (SENTENCE, "end_turn", 14)


def test_async_stream():
    async def collect():
        async with anthropic.AsyncAnthropic(base_url=URL, api_key=KEY, max_retries=0) as made:
            async with made.messages.stream(model=MODEL, max_tokens=100, messages=ask()) as stream:
                return "".join([piece async for piece in stream.text_stream])

    assert asyncio.run(collect()) == SENTENCE


def test_bearer_token():
    answer = make(api_key=None, auth_token=KEY).messages.create(model=MODEL, max_tokens=9, messages=ask())
    assert answer.content[0].text


def test_system_and_settings():
    create(system=[{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}])
    body, _ = sent("/chat/completions")
    first = body["messages"][0]
    assert first["role"] in ("system", "developer") and "Be brief." in json.dumps(first) and "Be kind." in json.dumps(first)
    assert body["max_tokens" if "max_tokens" in body else "max_completion_tokens"] == 100
    create(system="Be brief.", extra_body={"temperature": 0.5, "top_p": 0.9})
    body, _ = sent("/chat/completions")
    assert (body["temperature"], body["top_p"]) == (0.5, 0.9)


def test_image():
    source = {"type": "base64", "media_type": "image/png", "data": PNG}
    linked = {"type": "url", "url": "https://example.com/ship.png"}
    content = [{"type": "text", "text": "What is it?"}, {"type": "image", "source": source}, {"type": "image", "source": linked}]
    answer = create(messages=[{"role": "user", "content": content}])
    assert answer.content[0].text == SENTENCE
    parts = sent("/chat/completions")[0]["messages"][-1]["content"]
    assert [part["type"] for part in parts] == ["text", "image_url", "image_url"]
    assert [part["image_url"]["url"] for part in parts[1:]] == ["data:image/png;base64," + PNG, linked["url"]]


def test_stop_sequences_and_length():
    stopped = create(stop_sequences=["naïve"])
    assert stopped.content[0].text == "Ahoy! The café is "
    assert sent("/chat/completions")[0]["stop"] in ("naïve", ["naïve"])
    assert create(max_tokens=2).stop_reason == "max_tokens"
    assert follow(max_tokens=2)[1].stop_reason == "max_tokens"


# Tools


@pytest.mark.parametrize("stream", [False, True])
def test_tools_over_two_turns(stream):
    answer = follow(tools=TOOLS)[1] if stream else create(tools=TOOLS)
    assert answer.stop_reason == "tool_use"
    assert calls(answer) == CALLS
    ids = [block.id for block in answer.content if block.type == "tool_use"]
    assert len(set(ids)) == 2
    results = [{"type": "tool_result", "tool_use_id": call, "content": f"{n}7 °C"} for n, call in enumerate(ids)]
    turns = [*ask(), {"role": "assistant", "content": answer.content}, {"role": "user", "content": results}]
    second = create(tools=TOOLS, messages=turns)
    assert second.content[0].text == "The tool said: 17 °C"
    messages = sent("/chat/completions")[0]["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "tool"]
    assert [call["id"] for call in messages[1]["tool_calls"]] == [message["tool_call_id"] for message in messages[2:]]
    assert [json.loads(call["function"]["arguments"]) for call in messages[1]["tool_calls"]] == [call[1] for call in CALLS]


def test_tools_streamed_in_pieces():
    events, final = follow(tools=TOOLS)
    pieces = {}
    for event in events:
        if event.type == "content_block_delta" and event.delta.type == "input_json_delta":
            pieces.setdefault(event.index, []).append(event.delta.partial_json)
    assert [json.loads("".join(pieces[index])) for index in sorted(pieces)] == [call[1] for call in CALLS]
    assert len(pieces[0]) > 2, "arguments come in pieces, not at once"
    assert sorted(pieces) == list(range(len(final.content)))


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ({"type": "auto", "disable_parallel_tool_use": True}, ["weather"]),
        ({"type": "tool", "name": "clock"}, ["clock"]),
        ({"type": "any"}, ["weather", "clock"]),
        ({"type": "none"}, []),
    ],
)
def test_tool_choice(choice, names):
    assert [name for name, _ in calls(create(tools=TOOLS, tool_choice=choice))] == names


def test_tool_result_of_parts_and_failure():
    turns = [
        *ask(),
        {"role": "assistant", "content": [{"type": "text", "text": "Let me look."}, {"type": "tool_use", "id": "toolu_1", "name": "clock", "input": {"zone": "UTC"}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "toolu_1", "is_error": True, "content": [{"type": "text", "text": "no such zone"}]},
            {"type": "text", "text": "Then guess."},
        ]},
    ]
    create(tools=TOOLS, tool_choice={"type": "none"}, messages=turns)
    messages = sent("/chat/completions")[0]["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "user"]
    assert "no such zone" in json.dumps(messages[2]) and "Let me look." in json.dumps(messages[1])


# Thinking, refusal, structured answers


def test_thinking():
    plain = create("thinks", thinking={"type": "enabled", "budget_tokens": 1024}, max_tokens=2000)
    assert sent("/chat/completions")[0]["reasoning_effort"]
    events, streamed = follow("thinks", thinking={"type": "enabled", "budget_tokens": 1024}, max_tokens=2000)
    for answer in (plain, streamed):
        assert [block.type for block in answer.content] == ["thinking", "text"]
        assert answer.content[0].thinking and answer.content[1].text == SENTENCE
        assert answer.usage.output_tokens == 54
        assert (answer.usage.input_tokens, answer.usage.cache_read_input_tokens) == (2, 3)
    assert plain.content[0].thinking == streamed.content[0].thinking
    assert plain.usage.output_tokens_details.thinking_tokens == 40
    assert any(event.type == "thinking" for event in events)
    turns = [*ask(), {"role": "assistant", "content": plain.content}, *ask("go on")]
    assert create(messages=turns).content[0].text == SENTENCE, "thought without a signature may come back"


def test_refusal():
    for answer in (create("refuses"), follow("refuses")[1]):
        assert answer.stop_reason in ("refusal", "end_turn")
        assert answer.content[0].text == "I cannot help with that."


def test_structured_answer():
    schema = {"type": "object", "properties": {"kind": {"type": "string"}, "legs": {"type": "integer"}}, "required": ["kind", "legs"], "additionalProperties": False}
    answer = create(output_config={"format": {"type": "json_schema", "schema": schema}})
    assert json.loads(answer.content[0].text) == {"kind": "Paris", "legs": 7}
    assert sent("/chat/completions")[0]["response_format"]["json_schema"]["schema"] == schema


def test_cache_control_is_reported_where_it_is_lost():
    raw = client.messages.with_raw_response.create(
        model=MODEL, max_tokens=100, messages=ask(),
        system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
    )
    assert "cache_control" in raw.headers["x-fairlead-loss"]
    assert raw.parse().content[0].text == SENTENCE
    clean = client.messages.with_raw_response.create(model=MODEL, max_tokens=100, messages=ask())
    assert not clean.headers.get("x-fairlead-loss")


def test_count_tokens_is_estimated_where_the_target_cannot_count():
    few = client.messages.count_tokens(model=MODEL, messages=ask()).input_tokens
    many = client.messages.count_tokens(model=MODEL, messages=ask("word " * 100)).input_tokens
    assert 0 < few < many


def test_models():
    names = [model.id for model in client.models.list()]
    assert MODEL in names
    assert client.models.retrieve(MODEL).id == MODEL
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("nobody")


# Errors


def kind(caught):
    return caught.value.body["error"]["type"]


def test_wrong_key():
    with pytest.raises(anthropic.AuthenticationError) as caught:
        make(api_key="wrong").messages.create(model=MODEL, max_tokens=9, messages=ask())
    assert (caught.value.status_code, caught.value.body["type"], kind(caught)) == (401, "error", "authentication_error")
    assert caught.value.request_id


@pytest.mark.parametrize("stream", [False, True])
def test_unknown_model(stream):
    with pytest.raises(anthropic.NotFoundError) as caught:
        create("nobody", stream=stream)
    assert kind(caught) == "not_found_error" and "nobody" in caught.value.message


@pytest.mark.parametrize("wrong", [
    {"messages": None}, {"messages": "hi"}, {"max_tokens": "many"}, {"messages": [{"role": "king", "content": "hi"}]},
])
def test_bad_request(wrong):
    with pytest.raises(anthropic.BadRequestError) as caught:
        create(extra_body=wrong)
    assert kind(caught) == "invalid_request_error"
    assert next(iter(wrong)) in caught.value.message


@pytest.mark.parametrize("stream", [False, True])
def test_rate_limit_comes_through(stream):
    with pytest.raises(anthropic.RateLimitError) as caught:
        create("limited", stream=stream)
    assert kind(caught) == "rate_limit_error"
    assert 1 <= int(caught.value.response.headers["retry-after"]) <= 7


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", ["failing", "overloaded", "page", "garbage", "empty", "unauthorized", "stillborn"])
def test_upstream_failure(model, stream):
    if model == "stillborn" and not stream:
        return
    with pytest.raises(anthropic.InternalServerError) as caught:
        create(model, stream=stream)
    assert caught.value.status_code >= 500
    assert caught.value.body["type"] == "error" and kind(caught) in ("api_error", "overloaded_error")


@pytest.mark.parametrize("model", ["breaks", "cut", "reset", "mute"])
def test_broken_stream_raises_and_never_finishes(model):
    text, stop, ended = "", None, False
    with pytest.raises(anthropic.APIError) as caught:
        for event in create(model, stream=True):
            if event.type == "content_block_delta":
                text += event.delta.text
            stop = event.delta.stop_reason if event.type == "message_delta" else stop
            ended = ended or event.type == "message_stop"
    assert stop is None and not ended
    assert text and SENTENCE.startswith(text), "what came before the error is not held back"
    assert kind(caught) in ("api_error", "overloaded_error")


def test_broken_stream_of_tools():
    upstream("next", b"cut-event=8")
    with pytest.raises(anthropic.APIError):
        follow(tools=TOOLS)


@pytest.mark.parametrize("model", ["undone", "odd", "fields"])
def test_odd_streams_are_complete(model):
    events, final = follow(model)
    assert final.content[0].text == SENTENCE and final.stop_reason == "end_turn"
    assert events[-1].type == "message_stop"


@pytest.mark.parametrize("model", ["fallback", "fallback-cut"])
@pytest.mark.parametrize("stream", [False, True])
def test_fallback_is_invisible_but_for_the_header(model, stream):
    raw = client.messages.with_raw_response.create(model=model, max_tokens=100, messages=ask(), stream=stream)
    assert raw.headers["x-fairlead-target"] == MODEL
    answer = raw.parse()
    if stream:
        assert "".join(e.delta.text for e in answer if e.type == "content_block_delta") == SENTENCE
    else:
        assert answer.content[0].text == SENTENCE


def test_leaving_cancels_upstream():
    before = upstream("counts")["gone"]
    with client.messages.stream(model="endless", max_tokens=1000, messages=ask()) as stream:
        next(stream.text_stream)
    assert upstream(f"counts?gone={before + 1}")["gone"] == before + 1


def test_headers():
    raw = client.messages.with_raw_response.create(
        model=MODEL, max_tokens=100, messages=ask(), extra_headers={"x-fairlead-task": "greet"}
    )
    for name in ("id", "target", "route", "cost-usd", "cost-state", "cache", "overhead-ms"):
        assert raw.headers.get("x-fairlead-" + name), name
    assert raw.headers["request-id"]
