"""The official Python SDK against the fake upstream: every answer is known to the byte."""

import asyncio

import openai
import pytest
from pydantic import BaseModel

from conftest import DIRECT, EMBED, MODEL, SENTENCE, ask, make_client, upstream

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city", "days"],
            "additionalProperties": False,
        },
    },
}
CLOCK = {
    "type": "function",
    "function": {
        "name": "clock",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"zone": {"type": "string"}},
            "required": ["zone"],
            "additionalProperties": False,
        },
    },
}


class Pet(BaseModel):
    kind: str
    legs: int


class Person(BaseModel):
    name: str
    pets: list[Pet]


def vector(text, dimensions):
    total = sum(text.encode())
    return [((total + 31 * i) % 257 - 128) / 128 for i in range(dimensions)]


# Chat


def test_chat(client):
    answer = client.chat.completions.create(model=MODEL, messages=ask())
    assert answer.object == "chat.completion"
    assert answer.id.startswith("chatcmpl-")
    assert answer.choices[0].message.content == SENTENCE
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.prompt_tokens == 5
    assert answer.usage.completion_tokens == 14
    assert answer.usage.total_tokens == 19
    assert answer.usage.prompt_tokens_details.cached_tokens == 0
    assert answer.system_fingerprint == "fp_fake000001"


def test_stream(client):
    text, finish, roles = "", [], []
    with client.chat.completions.create(model=MODEL, messages=ask(), stream=True) as stream:
        for chunk in stream:
            assert chunk.usage is None
            assert len(chunk.choices) == 1
            text += chunk.choices[0].delta.content or ""
            roles += [chunk.choices[0].delta.role] if chunk.choices[0].delta.role else []
            finish += [chunk.choices[0].finish_reason] if chunk.choices[0].finish_reason else []
    assert text == SENTENCE
    assert finish == ["stop"]
    assert roles == ["assistant"]


def test_stream_with_usage(client):
    stream = client.chat.completions.create(
        model=MODEL, messages=ask(), stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert chunks[-1].choices == []
    assert chunks[-1].usage.total_tokens == 19
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert all("usage" in chunk.model_fields_set for chunk in chunks), "usage is null, not absent, in the other chunks"


def test_stream_helper(client):
    with client.chat.completions.stream(
        model=MODEL, messages=ask(), stream_options={"include_usage": True}
    ) as stream:
        events = list(stream)
        final = stream.get_final_completion()
    assert "".join(event.delta for event in events if event.type == "content.delta") == SENTENCE
    assert [event.content for event in events if event.type == "content.done"] == [SENTENCE]
    assert final.choices[0].message.content == SENTENCE
    assert final.usage.completion_tokens == 14


def test_async_stream():
    async def collect():
        async with openai.AsyncOpenAI(
            base_url=make_client().base_url, api_key=make_client().api_key, max_retries=0
        ) as client:
            stream = await client.chat.completions.create(model=MODEL, messages=ask(), stream=True)
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    assert asyncio.run(collect()) == SENTENCE


def test_two_answers(client):
    answer = client.chat.completions.create(model=MODEL, messages=ask(), n=2)
    want = [SENTENCE, SENTENCE + " (answer 2)"]
    assert [choice.message.content for choice in answer.choices] == want
    texts, finish = ["", ""], [None, None]
    for chunk in client.chat.completions.create(model=MODEL, messages=ask(), n=2, stream=True):
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
            finish[choice.index] = choice.finish_reason or finish[choice.index]
    assert texts == want and finish == ["stop", "stop"]


def test_stop_and_length(client):
    stopped = client.chat.completions.create(model=MODEL, messages=ask(), stop=["naïve"])
    assert stopped.choices[0].message.content == "Ahoy! The café is "
    cut = client.chat.completions.create(model=MODEL, messages=ask(), max_completion_tokens=2)
    assert (cut.choices[0].message.content, cut.choices[0].finish_reason) == ("Ahoy! The", "length")


def test_logprobs(client):
    answer = client.chat.completions.create(model=MODEL, messages=ask(), logprobs=True, top_logprobs=3)
    tokens = answer.choices[0].logprobs.content
    assert "".join(token.token for token in tokens) == SENTENCE
    assert bytes(b for token in tokens for b in token.bytes).decode() == SENTENCE
    assert [len(token.top_logprobs) for token in tokens] == [3] * 14
    assert tokens[1].logprob == -0.125
    streamed = [
        token
        for chunk in client.chat.completions.create(
            model=MODEL, messages=ask(), logprobs=True, top_logprobs=3, stream=True
        )
        if chunk.choices[0].logprobs
        for token in chunk.choices[0].logprobs.content
    ]
    assert streamed == tokens


def test_refusal(client):
    answer = client.chat.completions.create(model="refuses", messages=ask())
    assert answer.choices[0].message.refusal == "I cannot help with that."
    assert answer.choices[0].message.content is None
    with client.chat.completions.stream(model="refuses", messages=ask()) as stream:
        assert stream.get_final_completion().choices[0].message.refusal == "I cannot help with that."


def test_usage_details(client):
    answer = client.chat.completions.create(model="thinks", messages=ask())
    assert answer.usage.completion_tokens_details.reasoning_tokens == 40
    assert answer.usage.prompt_tokens_details.cached_tokens == 3
    assert answer.usage.completion_tokens == 54
    assert answer.choices[0].message.reasoning_content  # a field that the SDK does not know must come through


def test_long_prompt_and_answer(client):
    answer = client.chat.completions.create(model="echo", messages=ask("ü" * 200_000))
    assert "ü" * 200_000 in answer.choices[0].message.content


# Tools and structured answers


def test_tools(client):
    answer = client.chat.completions.create(model=MODEL, messages=ask(), tools=[WEATHER, CLOCK])
    message = answer.choices[0].message
    assert answer.choices[0].finish_reason == "tool_calls" and message.content is None
    assert [(call.function.name, call.function.arguments) for call in message.tool_calls] == [
        ("weather", '{"city":"Paris","days":7}'),
        ("clock", '{"zone":"Paris"}'),
    ]
    follow = client.chat.completions.create(
        model=MODEL,
        tools=[WEATHER, CLOCK],
        messages=[
            *ask(),
            message,
            *({"role": "tool", "tool_call_id": call.id, "content": "17 °C"} for call in message.tool_calls),
        ],
    )
    assert follow.choices[0].message.content == "The tool said: 17 °C"


def test_one_tool_at_a_time(client):
    answer = client.chat.completions.create(
        model=MODEL, messages=ask(), tools=[WEATHER, CLOCK], parallel_tool_calls=False
    )
    assert [call.function.name for call in answer.choices[0].message.tool_calls] == ["weather"]
    named = client.chat.completions.create(
        model=MODEL,
        messages=ask(),
        tools=[WEATHER, CLOCK],
        tool_choice={"type": "function", "function": {"name": "clock"}},
    )
    assert [call.function.name for call in named.choices[0].message.tool_calls] == ["clock"]


def test_tools_streamed(client):
    arguments, ids, pieces = {}, {}, 0
    for chunk in client.chat.completions.create(model=MODEL, messages=ask(), tools=[WEATHER, CLOCK], stream=True):
        for call in chunk.choices[0].delta.tool_calls or []:
            pieces += 1
            if call.id:
                ids[call.index] = (call.id, call.type, call.function.name)
            arguments[call.index] = arguments.get(call.index, "") + call.function.arguments
    assert arguments == {0: '{"city":"Paris","days":7}', 1: '{"zone":"Paris"}'}
    assert [ids[i][1:] for i in (0, 1)] == [("function", "weather"), ("function", "clock")]
    assert ids[0][0] != ids[1][0]
    assert pieces > 4, "arguments come in pieces, not at once"


def test_tools_stream_helper(client):
    with client.chat.completions.stream(model=MODEL, messages=ask(), tools=[WEATHER, CLOCK]) as stream:
        done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
        final = stream.get_final_completion()
    assert [(event.name, event.parsed_arguments) for event in done] == [
        ("weather", {"city": "Paris", "days": 7}),
        ("clock", {"zone": "Paris"}),
    ]
    assert [call.function.parsed_arguments for call in final.choices[0].message.tool_calls] == [
        {"city": "Paris", "days": 7},
        {"zone": "Paris"},
    ]


def test_structured_answer(client):
    answer = client.chat.completions.parse(model=MODEL, messages=ask(), response_format=Person)
    assert answer.choices[0].message.parsed == Person(name="Paris", pets=[Pet(kind="Paris", legs=7)])
    with client.chat.completions.stream(model=MODEL, messages=ask(), response_format=Person) as stream:
        assert stream.get_final_completion().choices[0].message.parsed == answer.choices[0].message.parsed


# Completions, embeddings, models


def test_completions(client):
    answer = client.completions.create(model=MODEL, prompt="Once", max_tokens=3)
    assert (answer.choices[0].text, answer.choices[0].finish_reason) == ("Ahoy! The café", "length")
    assert answer.usage.completion_tokens == 3
    chunks = list(client.completions.create(model=MODEL, prompt="Once", max_tokens=3, stream=True))
    assert "".join(chunk.choices[0].text for chunk in chunks) == "Ahoy! The café"
    assert chunks[-1].choices[0].finish_reason == "length"


def test_embeddings(client):
    base64 = client.embeddings.create(model=EMBED, input=["sea", "mañana"])  # the SDK asks for base64 by itself
    floats = client.embeddings.create(model=EMBED, input=["sea", "mañana"], encoding_format="float")
    for answer in (base64, floats):
        assert [row.embedding for row in answer.data] == [vector("sea", 64), vector("mañana", 64)]
        assert [row.index for row in answer.data] == [0, 1]
    assert base64.usage.prompt_tokens == base64.usage.total_tokens == 10
    short = client.embeddings.create(model=EMBED, input="sea", dimensions=5)
    assert short.data[0].embedding == vector("sea", 5)
    raw = client.embeddings.create(model=EMBED, input="sea", dimensions=2, encoding_format="base64")
    assert isinstance(raw.data[0].embedding, str)


def test_models(client):
    names = [model.id for model in client.models.list()]
    assert MODEL in names and EMBED in names
    model = client.models.retrieve(MODEL)
    assert (model.id, model.object) == (MODEL, "model")
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nobody")


# Errors


def test_wrong_key(client):
    with pytest.raises(openai.AuthenticationError) as caught:
        make_client(api_key="wrong").chat.completions.create(model=MODEL, messages=ask())
    assert caught.value.status_code == 401
    assert caught.value.code == "invalid_api_key"
    with pytest.raises(openai.AuthenticationError):
        make_client(api_key="wrong").models.list()


@pytest.mark.parametrize("stream", [False, True])
def test_unknown_model(client, stream):
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="nobody", messages=ask(), stream=stream)
    assert caught.value.code == "model_not_found"
    assert "nobody" in caught.value.message


@pytest.mark.parametrize(
    ("param", "body"),
    [
        ("messages", {"messages": None}),
        ("messages", {"messages": "hi"}),
        ("temperature", {"temperature": 3}),
        ("temperature", {"temperature": "hot"}),
        ("n", {"n": 0}),
    ],
)
def test_bad_request(client, param, body):
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=MODEL, messages=ask(), extra_body=body)
    assert caught.value.status_code == 400
    assert caught.value.param == param
    assert caught.value.type == "invalid_request_error"


@pytest.mark.parametrize("stream", [False, True])
def test_rate_limit_comes_through(client, stream):
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="limited", messages=ask(), stream=stream)
    assert 1 <= int(caught.value.response.headers["retry-after"]) <= 7, "what is left of the upstream's seven seconds"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", ["failing", "overloaded"])
def test_upstream_failure(client, model, stream):
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model=model, messages=ask(), stream=stream)
    assert caught.value.status_code >= 500
    assert isinstance(caught.value.body, dict) and caught.value.body["message"]


def test_a_passing_failure_is_retried(client):
    upstream("next", b"status=503")
    answer = make_client(max_retries=1).chat.completions.create(model=MODEL, messages=ask())
    assert answer.choices[0].message.content == SENTENCE


@pytest.mark.gateway
@pytest.mark.parametrize("model", ["page", "garbage", "empty", "unauthorized"])
@pytest.mark.parametrize("stream", [False, True])
def test_nonsense_from_upstream_is_an_error(client, model, stream):
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model=model, messages=ask(), stream=stream)
    assert caught.value.status_code == 502


# Streams that break


def test_error_before_output(client):
    if DIRECT:
        with pytest.raises(openai.APIError):
            list(client.chat.completions.create(model="stillborn", messages=ask(), stream=True))
        return
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model="stillborn", messages=ask(), stream=True)
    assert caught.value.status_code >= 500, "an error before output is a true HTTP status"


@pytest.mark.parametrize("model", ["breaks", "cut", "reset", pytest.param("mute", marks=pytest.mark.gateway)])
def test_broken_stream_raises_and_never_finishes(client, model):
    text, finish = "", None
    with pytest.raises(openai.APIError):
        for chunk in client.chat.completions.create(model=model, messages=ask(), stream=True):
            for choice in chunk.choices:
                text += choice.delta.content or ""
                finish = finish or choice.finish_reason
    assert finish is None
    assert SENTENCE.startswith(text)
    if model == "breaks":
        assert text, "what came before the error is not held back"


def test_no_done_is_complete(client):
    chunks = list(client.chat.completions.create(model="undone", messages=ask(), stream=True))
    assert chunks[-1].choices[0].finish_reason == "stop"


# The SDK takes a comment after an id line for an event without data and fails, so the two come apart.
@pytest.mark.parametrize("model", ["odd", "fields"])
def test_odd_framing(client, model):
    text = ""
    for chunk in client.chat.completions.create(model=model, messages=ask(), stream=True):
        text += chunk.choices[0].delta.content or ""
    assert text == SENTENCE


def test_client_that_leaves_cancels_upstream(client):
    before = upstream("counts")["gone"]
    stream = client.chat.completions.create(model="endless", messages=ask(), stream=True)
    for chunk in stream:
        if chunk.choices[0].delta.content:
            break
    stream.close()
    assert upstream(f"counts?gone={before + 1}")["gone"] == before + 1


def test_client_that_times_out_cancels_upstream(client):
    before = upstream("counts")["gone"]
    with pytest.raises(openai.APITimeoutError):
        client.chat.completions.create(model="silent", messages=ask(), timeout=0.2)
    assert upstream(f"counts?gone={before + 1}")["gone"] == before + 1


# What Fairlead adds


@pytest.mark.gateway
@pytest.mark.parametrize("model", ["fallback", "fallback-cut"])
@pytest.mark.parametrize("stream", [False, True])
def test_fallback_is_invisible_but_for_the_header(client, model, stream):
    raw = client.chat.completions.with_raw_response.create(model=model, messages=ask(), stream=stream)
    assert raw.headers["x-fairlead-target"] == MODEL
    answer = raw.parse()
    if stream:
        assert "".join(chunk.choices[0].delta.content or "" for chunk in answer) == SENTENCE
    else:
        assert answer.choices[0].message.content == SENTENCE


@pytest.mark.gateway
def test_headers(client):
    raw = client.chat.completions.with_raw_response.create(
        model=MODEL, messages=ask(), extra_headers={"x-fairlead-task": "greet"}
    )
    for name in ("id", "target", "route", "cost-usd", "cost-state", "cache", "overhead-ms"):
        assert raw.headers.get("x-fairlead-" + name), name
    assert raw.headers["x-fairlead-target"] == MODEL
    assert raw.headers["x-request-id"]
    assert raw.parse().choices[0].message.content == SENTENCE


@pytest.mark.gateway
def test_headers_of_a_stream(client):
    with client.chat.completions.with_streaming_response.create(model=MODEL, messages=ask(), stream=True) as raw:
        assert raw.headers["x-fairlead-id"] and raw.headers["x-fairlead-target"] == MODEL
        assert raw.headers["content-type"].startswith("text/event-stream")
        assert raw.headers.get("content-length") is None
        assert list(raw.parse())


@pytest.mark.gateway
def test_headers_of_an_error(client):
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model="failing", messages=ask())
    assert caught.value.response.headers["x-fairlead-id"]
    assert caught.value.request_id


@pytest.mark.gateway
def test_task_in_metadata_is_taken_out(client):
    answer = client.chat.completions.create(
        model="echo", messages=ask(), metadata={"fairlead_task": "greet", "fairlead_task_id": "t-1"}
    )
    assert "fairlead" not in answer.choices[0].message.content
    assert "metadata" not in answer.choices[0].message.content
    kept = client.chat.completions.create(
        model="echo", messages=ask(), metadata={"fairlead_task": "greet", "own": "kept"}
    )
    assert "fairlead" not in kept.choices[0].message.content
    assert '"own"' in kept.choices[0].message.content


@pytest.mark.gateway
def test_exchange_can_be_read_back(client):
    raw = client.chat.completions.with_raw_response.create(
        model=MODEL, messages=ask(), extra_headers={"x-fairlead-task": "read-back"}
    )
    row = client.get("/exchanges/" + raw.headers["x-fairlead-id"], cast_to=object)
    assert row["task"] == "read-back" and row["status"] == "ok" and row["target"] == MODEL
