"""OpenAI's Python SDK on /v1/responses, before targets that speak chat completions."""

import json

import openai
import pytest
from pydantic import BaseModel

from conftest import MODEL, SENTENCE, make_client, sent, upstream

client = make_client()


class Pet(BaseModel):
    kind: str
    legs: int


def tool(name, **properties):
    kinds = {key: {"type": kind} for key, kind in properties.items()}
    schema = {"type": "object", "properties": kinds, "required": list(kinds), "additionalProperties": False}
    return {"type": "function", "name": name, "description": f"Tells the {name}.", "parameters": schema, "strict": True}


TOOLS = [tool("weather", city="string", days="integer"), tool("clock", zone="string")]
CALLS = [("weather", '{"city":"Paris","days":7}'), ("clock", '{"zone":"Paris"}')]


def create(model=MODEL, text="hi", **options):
    return client.responses.create(**{"model": model, "input": text, **options})


def follow(model=MODEL, text="hi", **options):
    """Reads a stream with the SDK's accumulator; returns its events and its final response."""
    with client.responses.stream(**{"model": model, "input": text, **options}) as stream:
        return list(stream), stream.get_final_response()


def calls(answer):
    return [(item.name, item.arguments) for item in answer.output if item.type == "function_call"]


def test_response():
    answer = create()
    assert (answer.object, answer.status, answer.model) == ("response", "completed", MODEL)
    assert answer.output_text == SENTENCE
    assert [item.type for item in answer.output] == ["message"]
    assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.total_tokens) == (5, 14, 19)
    assert answer.id and answer.error is None and answer.incomplete_details is None


def test_stream():
    events, final = follow()
    assert final.output_text == SENTENCE and final.status == "completed" and final.usage.total_tokens == 19
    assert [event.sequence_number for event in events] == list(range(len(events)))
    kinds = [event.type for event in events]
    assert kinds[:4] == ["response.created", "response.in_progress", "response.output_item.added", "response.content_part.added"]
    assert kinds[-4:] == ["response.output_text.done", "response.content_part.done", "response.output_item.done", "response.completed"]
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == SENTENCE
    assert kinds.count("response.output_text.delta") == 14, "pieces go on as they come"


def test_instructions_and_settings():
    create(instructions="Be brief.", temperature=0.5, top_p=0.9, max_output_tokens=50)
    body, _ = sent("/chat/completions")
    assert body["messages"][0]["role"] in ("system", "developer") and "Be brief." in json.dumps(body["messages"][0])
    assert (body["temperature"], body["top_p"]) == (0.5, 0.9)
    assert body.get("max_tokens", body.get("max_completion_tokens")) == 50


def test_image():
    url = "data:image/png;base64,aGk="
    content = [{"type": "input_text", "text": "What is it?"}, {"type": "input_image", "image_url": url, "detail": "low"}]
    create(text=[{"role": "user", "content": content}])
    parts = sent("/chat/completions")[0]["messages"][-1]["content"]
    assert parts[1]["image_url"] == {"url": url, "detail": "low"}


def test_length():
    # The accumulator hands out completed responses only, so the stream's last event speaks for itself.
    last = list(create(max_output_tokens=2, stream=True))[-1]
    assert last.type == "response.incomplete"
    for answer in (create(max_output_tokens=2), last.response):
        assert (answer.status, answer.incomplete_details.reason) == ("incomplete", "max_output_tokens")
        assert answer.output_text == "Ahoy! The"


@pytest.mark.parametrize("stream", [False, True])
def test_tools_over_two_turns(stream):
    answer = follow(tools=TOOLS)[1] if stream else create(tools=TOOLS)
    assert calls(answer) == CALLS and answer.status == "completed"
    results = [
        {"type": "function_call_output", "call_id": item.call_id, "output": f"{n}7 °C"}
        for n, item in enumerate(item for item in answer.output if item.type == "function_call")
    ]
    second = create(tools=TOOLS, text=[{"role": "user", "content": "hi"}, *answer.output, *results])
    assert second.output_text == "The tool said: 17 °C"
    messages = sent("/chat/completions")[0]["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "tool"]
    assert [call["id"] for call in messages[1]["tool_calls"]] == [message["tool_call_id"] for message in messages[2:]]


def test_tools_streamed_in_pieces():
    events, _ = follow(tools=TOOLS)
    deltas = [event for event in events if event.type == "response.function_call_arguments.delta"]
    for index, (_, arguments) in enumerate(CALLS):
        pieces = [event.delta for event in deltas if event.output_index == index]
        assert "".join(pieces) == arguments and len(pieces) > 1
    done = [event.arguments for event in events if event.type == "response.function_call_arguments.done"]
    assert done == [arguments for _, arguments in CALLS]


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"tool_choice": "required"}, ["weather", "clock"]),
        ({"tool_choice": "none"}, []),
        ({"tool_choice": {"type": "function", "name": "clock"}}, ["clock"]),
        ({"parallel_tool_calls": False}, ["weather"]),
    ],
)
def test_tool_choice(options, names):
    assert [name for name, _ in calls(create(tools=TOOLS, **options))] == names


def test_structured_answer():
    answer = client.responses.parse(model=MODEL, input="hi", text_format=Pet)
    assert answer.output_parsed == Pet(kind="Paris", legs=7)
    assert follow(text_format=Pet)[1].output_parsed == answer.output_parsed
    assert sent("/chat/completions")[0]["response_format"]["json_schema"]["strict"] is True


def test_reasoning_summary():
    for answer in (create("thinks", reasoning={"effort": "low", "summary": "auto"}), follow("thinks", reasoning={"effort": "low", "summary": "auto"})[1]):
        assert [item.type for item in answer.output] == ["reasoning", "message"]
        thought = answer.output[0]
        assert "".join(part.text for part in [*thought.summary, *(thought.content or [])])
        assert answer.output_text == SENTENCE
        assert (answer.usage.output_tokens, answer.usage.output_tokens_details.reasoning_tokens) == (54, 40)
        assert answer.usage.input_tokens_details.cached_tokens == 3
    again = create(text=[{"role": "user", "content": "hi"}, *answer.output, {"role": "user", "content": "go on"}])
    assert again.output_text == SENTENCE


def test_refusal():
    for answer in (create("refuses"), follow("refuses")[1]):
        part = answer.output[0].content[0]
        assert (part.type, part.refusal) == ("refusal", "I cannot help with that.")


# Errors


def test_wrong_key():
    with pytest.raises(openai.AuthenticationError) as caught:
        make_client(api_key="wrong").responses.create(model=MODEL, input="hi")
    assert caught.value.code == "invalid_api_key"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("model", "status"),
    [("nobody", 404), ("limited", 429), ("failing", 502), ("overloaded", 503), ("page", 502), ("garbage", 502), ("empty", 502), ("unauthorized", 502)],
)
def test_errors(model, status, stream):
    with pytest.raises(openai.APIStatusError) as caught:
        create(model, stream=stream)
    assert caught.value.status_code == status and caught.value.body["message"]
    if status == 429:
        assert 1 <= int(caught.value.response.headers["retry-after"]) <= 7


@pytest.mark.parametrize("wrong", [{"temperature": "hot"}, {"input": 7}, {"max_output_tokens": "many"}, {"tools": "all"}])
def test_bad_request(wrong):
    with pytest.raises(openai.BadRequestError) as caught:
        create(extra_body=wrong)
    assert caught.value.param == next(iter(wrong)) and caught.value.type == "invalid_request_error"


@pytest.mark.parametrize("model", ["stillborn", "breaks", "cut", "reset", "mute"])
def test_broken_stream_never_completes(model):
    text, kinds = "", []
    try:
        for event in create(model, stream=True):
            kinds.append(event.type)
            text += event.delta if event.type == "response.output_text.delta" else ""
        raised = False
    except openai.APIError:
        raised = True
    assert raised or kinds[-1] in ("response.failed", "error")
    assert "response.completed" not in kinds and "response.incomplete" not in kinds
    assert SENTENCE.startswith(text) and bool(text) == (model != "stillborn")


@pytest.mark.parametrize("model", ["undone", "odd", "fields", "fallback", "fallback-cut"])
def test_odd_streams_are_complete(model):
    events, final = follow(model)
    assert final.output_text == SENTENCE and events[-1].type == "response.completed"


def test_leaving_cancels_upstream():
    before = upstream("counts")["gone"]
    stream = create("endless", stream=True)
    for event in stream:
        if event.type == "response.output_text.delta":
            break
    stream.close()
    assert upstream(f"counts?gone={before + 1}")["gone"] == before + 1
