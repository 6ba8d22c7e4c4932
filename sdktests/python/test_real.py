"""The official Python SDK against a real small model on this machine: what must hold whatever it says."""

import json
import math

import pytest
from pydantic import BaseModel

from conftest import EMBED, MODEL, ask

TEXT = "Write one short sentence about the sea."


class Transfer(BaseModel):
    sender: str
    amount: int


def test_chat(client):
    answer = client.chat.completions.create(model=MODEL, messages=ask(TEXT), max_tokens=24)
    assert answer.choices[0].message.content.strip()
    assert answer.choices[0].finish_reason in ("stop", "length")
    assert answer.usage.prompt_tokens > 5
    assert 0 < answer.usage.completion_tokens <= 24
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_stream(client):
    text, finish, usage, pieces = "", None, None, 0
    for chunk in client.chat.completions.create(
        model=MODEL, messages=ask(TEXT), max_tokens=24, stream=True, stream_options={"include_usage": True}
    ):
        usage = chunk.usage or usage
        for choice in chunk.choices:
            pieces += bool(choice.delta.content)
            text += choice.delta.content or ""
            finish = choice.finish_reason or finish
    assert text.strip() and pieces > 1, "it streams"
    assert finish in ("stop", "length")
    assert usage.completion_tokens > 0


def test_seed_repeats(client):
    said = [
        client.chat.completions.create(model=MODEL, messages=ask(TEXT), max_tokens=16, seed=7, temperature=0)
        .choices[0]
        .message.content
        for _ in range(2)
    ]
    assert said[0] == said[1]


def test_stop_sequence(client):
    answer = client.chat.completions.create(
        model=MODEL, messages=ask("Count from one to ten: 1, 2, 3"), max_tokens=48, temperature=0, seed=7, stop=[","]
    )
    assert "," not in answer.choices[0].message.content


def test_schema(client):
    answer = client.chat.completions.parse(
        model=MODEL, messages=ask("Alice sends 3 coins to Bob."), response_format=Transfer, max_tokens=96, temperature=0
    )
    assert answer.choices[0].finish_reason == "stop"
    assert isinstance(answer.choices[0].message.parsed, Transfer)


@pytest.mark.parametrize("stream", [False, True])
def test_tool_call(client, stream):
    tool = {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "Tells the weather in a city.",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string", "maxLength": 20}},
                "required": ["city"],
                "additionalProperties": False,
            },
        },
    }
    options = {
        "model": MODEL,
        "messages": ask("What is the weather in Paris?"),
        "tools": [tool],
        "tool_choice": "required",
        "max_tokens": 96,
        "temperature": 0,
    }
    if stream:
        name, arguments, finish = "", "", None
        for chunk in client.chat.completions.create(stream=True, **options):
            for choice in chunk.choices:
                finish = choice.finish_reason or finish
                for call in choice.delta.tool_calls or []:
                    name += call.function.name or ""
                    arguments += call.function.arguments or ""
    else:
        choice = client.chat.completions.create(**options).choices[0]
        finish, call = choice.finish_reason, choice.message.tool_calls[0]
        name, arguments = call.function.name, call.function.arguments
    assert name == "weather" and finish == "tool_calls"
    assert isinstance(json.loads(arguments)["city"], str)


def test_embeddings(client):
    texts = ["The boat sails on the sea.", "A ship crosses the ocean.", "My invoice is overdue."]
    base64 = [row.embedding for row in client.embeddings.create(model=EMBED, input=texts).data]
    floats = [row.embedding for row in client.embeddings.create(model=EMBED, input=texts, encoding_format="float").data]
    assert [len(v) for v in floats] == [256, 256, 256]
    assert all(math.isclose(a, b, abs_tol=1e-6) for u, v in zip(base64, floats) for a, b in zip(u, v))
    boat, ship, invoice = floats
    assert cosine(boat, ship) > cosine(boat, invoice) + 0.1


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


def test_completions(client):
    answer = client.completions.create(model=MODEL, prompt="Once upon a time", max_tokens=12)
    assert answer.choices[0].text.strip() and answer.usage.completion_tokens > 0


def test_models(client):
    assert MODEL in [model.id for model in client.models.list()]


def test_cost_is_known_and_nothing(client):
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=ask(TEXT), max_tokens=4)
    assert raw.headers["x-fairlead-cost-state"] == "known"
    assert float(raw.headers["x-fairlead-cost-usd"]) == 0
