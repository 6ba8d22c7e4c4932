"""Google's google-genai SDK against targets that speak OpenAI's dialect: every answer is known to the byte."""

import asyncio
import base64
import json

import pytest
from google import genai
from google.genai import errors, types
from pydantic import BaseModel

from conftest import EMBED, KEY, MODEL, PATIENCE, SENTENCE, URL, sent, upstream

PNG = b"\x89PNG\r\n\x1a\n not a whole picture"


def make(**options):
    return genai.Client(**{"api_key": KEY, "http_options": types.HttpOptions(base_url=URL, timeout=PATIENCE * 1000), **options})


client = make()


class Pet(BaseModel):
    kind: str
    legs: int


def declare(name, **properties):
    kinds = {key: types.Schema(type=kind) for key, kind in properties.items()}
    return types.FunctionDeclaration(
        name=name, description=f"Tells the {name}.", parameters=types.Schema(type="OBJECT", properties=kinds, required=list(kinds))
    )


TOOLS = [types.Tool(function_declarations=[declare("weather", city="STRING", days="INTEGER"), declare("clock", zone="STRING")])]
CALLS = [("weather", {"city": "Paris", "days": 7}), ("clock", {"zone": "Paris"})]


def generate(model=MODEL, contents="hi", **config):
    return client.models.generate_content(model=model, contents=contents, config=types.GenerateContentConfig(**config))


def stream(model=MODEL, contents="hi", **config):
    return client.models.generate_content_stream(model=model, contents=contents, config=types.GenerateContentConfig(**config))


def calls(answers):
    return [(call.name, call.args) for answer in answers for call in answer.function_calls or []]


def test_generate():
    answer = generate()
    assert answer.text == SENTENCE
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP
    assert answer.candidates[0].content.role == "model"
    usage = answer.usage_metadata
    assert (usage.prompt_token_count, usage.candidates_token_count, usage.total_token_count) == (5, 14, 19)
    assert answer.model_version == MODEL and answer.response_id


def test_stream():
    chunks = list(stream())
    assert "".join(chunk.text or "" for chunk in chunks) == SENTENCE
    assert len(chunks) >= 14, "pieces go on as they come"
    reasons = [chunk.candidates[0].finish_reason for chunk in chunks if chunk.candidates and chunk.candidates[0].finish_reason]
    assert reasons == [types.FinishReason.STOP]
    assert chunks[-1].usage_metadata.total_token_count == 19


def test_async_stream():
    async def collect():
        pieces = await make().aio.models.generate_content_stream(model=MODEL, contents="hi")
        return "".join([piece.text or "" async for piece in pieces])

    assert asyncio.run(collect()) == SENTENCE


def test_chat_over_turns():
    chat = client.chats.create(model=MODEL)
    assert chat.send_message("hi").text == SENTENCE
    assert "".join(piece.text or "" for piece in chat.send_message_stream("again")) == SENTENCE
    assert [m["role"] for m in sent("/chat/completions")[0]["messages"]] == ["user", "assistant", "user"]


def test_settings():
    generate(system_instruction="Be brief.", temperature=0.5, top_p=0.9, max_output_tokens=50, seed=7, presence_penalty=0.5, frequency_penalty=0.25)
    body, _ = sent("/chat/completions")
    assert body["messages"][0]["role"] in ("system", "developer") and "Be brief." in json.dumps(body["messages"][0])
    assert (body["temperature"], body["top_p"], body["seed"]) == (0.5, 0.9, 7)
    assert (body["presence_penalty"], body["frequency_penalty"]) == (0.5, 0.25)
    assert body.get("max_tokens", body.get("max_completion_tokens")) == 50


def test_stop_length_and_candidates():
    assert generate(stop_sequences=["naïve"]).text == "Ahoy! The café is "
    assert generate(max_output_tokens=2).candidates[0].finish_reason == types.FinishReason.MAX_TOKENS
    assert len(generate(candidate_count=2).candidates) == 2


def test_image():
    generate(contents=["What is it?", types.Part.from_bytes(data=PNG, mime_type="image/png")])
    parts = sent("/chat/completions")[0]["messages"][-1]["content"]
    assert [part["type"] for part in parts] == ["text", "image_url"]
    assert parts[1]["image_url"]["url"] == "data:image/png;base64," + base64.b64encode(PNG).decode()


# Tools and structured answers


@pytest.mark.parametrize("streamed", [False, True])
def test_tools_over_two_turns(streamed):
    answers = list(stream(tools=TOOLS)) if streamed else [generate(tools=TOOLS)]
    assert calls(answers) == CALLS
    assert [a.candidates[0].finish_reason for a in answers if a.candidates][-1] == types.FinishReason.STOP
    parts = [part for a in answers if a.candidates and a.candidates[0].content for part in a.candidates[0].content.parts or [] if part.function_call]
    results = [
        types.Part(function_response=types.FunctionResponse(id=part.function_call.id, name=part.function_call.name, response={"result": f"{n}7 °C"}))
        for n, part in enumerate(parts)
    ]
    turns = [types.UserContent("hi"), types.Content(role="model", parts=parts), types.Content(role="user", parts=results)]
    second = generate(contents=turns, tools=TOOLS)
    assert json.loads(second.text.removeprefix("The tool said: ")) == {"result": "17 °C"}
    messages = sent("/chat/completions")[0]["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "tool"]
    assert [call["id"] for call in messages[1]["tool_calls"]] == [message["tool_call_id"] for message in messages[2:]]


def test_results_without_ids_find_their_calls():
    part = types.Part.from_function_call(name="clock", args={"zone": "UTC"})
    back = types.Part.from_function_response(name="clock", response={"result": "noon"})
    generate(contents=[types.UserContent("hi"), types.ModelContent([part]), types.UserContent([back])], tools=TOOLS)
    messages = sent("/chat/completions")[0]["messages"]
    assert messages[1]["tool_calls"][0]["id"] == messages[2]["tool_call_id"]


def test_automatic_function_calling():
    asked = []

    def weather(city: str) -> str:
        """Tells the weather in a city."""
        asked.append(city)
        return "17 °C"

    text = generate(tools=[weather]).text
    assert json.loads(text.removeprefix("The tool said: ")) == {"result": "17 °C"}
    assert asked == ["Paris"]


@pytest.mark.parametrize(
    ("mode", "allowed", "names"), [("ANY", None, ["weather", "clock"]), ("ANY", ["clock"], ["clock"]), ("NONE", None, [])]
)
def test_tool_choice(mode, allowed, names):
    choice = types.FunctionCallingConfig(mode=mode, allowed_function_names=allowed)
    answer = generate(tools=TOOLS, tool_config=types.ToolConfig(function_calling_config=choice))
    assert [name for name, _ in calls([answer])] == names


@pytest.mark.parametrize("form", ["response_schema", "response_json_schema"])
def test_structured_answer(form):
    schema = Pet if form == "response_schema" else Pet.model_json_schema()
    answer = generate(response_mime_type="application/json", **{form: schema})
    assert json.loads(answer.text) == {"kind": "Paris", "legs": 7}
    if form == "response_schema":
        assert answer.parsed == Pet(kind="Paris", legs=7)
    assert sent("/chat/completions")[0]["response_format"]["type"] == "json_schema"


def test_json_without_a_schema():
    assert json.loads(generate(response_mime_type="application/json").text)["count"] == 7


# Thinking, refusal


def test_thinking():
    thoughts = types.ThinkingConfig(include_thoughts=True, thinking_budget=1024)
    for answers in ([generate("thinks", thinking_config=thoughts)], list(stream("thinks", thinking_config=thoughts))):
        parts = [part for a in answers if a.candidates and a.candidates[0].content for part in a.candidates[0].content.parts or []]
        assert "".join(part.text or "" for part in parts if not part.thought) == SENTENCE
        assert "".join(part.text or "" for part in parts if part.thought)
        usage = answers[-1].usage_metadata
        assert (usage.thoughts_token_count, usage.cached_content_token_count) == (40, 3)
        assert (usage.prompt_token_count, usage.candidates_token_count, usage.total_token_count) == (5, 14, 59)


def test_refusal():
    assert generate("refuses").text == "I cannot help with that."


# Embeddings, counting, models


def vector(text, dimensions):
    total = sum(text.encode())
    return [((total + 31 * i) % 257 - 128) / 128 for i in range(dimensions)]


def test_embeddings():
    one = client.models.embed_content(model=EMBED, contents="sea")
    assert [row.values for row in one.embeddings] == [vector("sea", 64)]
    many = client.models.embed_content(model=EMBED, contents=["sea", "mañana"], config=types.EmbedContentConfig(output_dimensionality=5))
    assert [row.values for row in many.embeddings] == [vector("sea", 5), vector("mañana", 5)]


def test_models():
    names = [model.name for model in client.models.list()]
    assert "models/" + MODEL in names
    assert client.models.get(model=MODEL).name == "models/" + MODEL


def test_tokens_are_estimated_where_the_target_cannot_count():
    assert client.models.count_tokens(model=MODEL, contents="hi").total_tokens > 0


# Errors


def test_wrong_key():
    stranger = make(api_key="wrong")
    with pytest.raises(errors.ClientError) as caught:
        stranger.models.generate_content(model=MODEL, contents="hi")
    assert caught.value.code in (400, 401) and caught.value.status in ("UNAUTHENTICATED", "INVALID_ARGUMENT")


@pytest.mark.parametrize(
    ("model", "code", "status"),
    [("nobody", 404, "NOT_FOUND"), ("limited", 429, "RESOURCE_EXHAUSTED"), ("failing", 502, "UNAVAILABLE"), ("overloaded", 503, "UNAVAILABLE"),
     ("page", 502, "UNAVAILABLE"), ("garbage", 502, "UNAVAILABLE"), ("empty", 502, "UNAVAILABLE"), ("unauthorized", 502, "UNAVAILABLE")],
)
def test_errors(model, code, status):
    for ask in (lambda: generate(model), lambda: list(stream(model))):
        with pytest.raises(errors.APIError) as caught:
            ask()
        assert (caught.value.code, caught.value.status) == (code, status)
        assert caught.value.message
        if code == 429:
            assert 1 <= int(caught.value.response.headers["retry-after"]) <= 7


def test_bad_request():
    with pytest.raises(errors.ClientError) as caught:
        client.models.generate_content(model=MODEL, contents="hi", config={"http_options": {"extra_body": {"generationConfig": {"temperature": "hot"}}}})
    assert (caught.value.code, caught.value.status) == (400, "INVALID_ARGUMENT")
    assert "temperature" in caught.value.message


@pytest.mark.parametrize("model", ["stillborn", "breaks", "cut", "reset", "mute"])
def test_broken_stream_raises_and_never_finishes(model):
    text, reason = "", None
    with pytest.raises(errors.APIError) as caught:
        for chunk in stream(model):
            text += chunk.text or ""
            reason = reason or (chunk.candidates and chunk.candidates[0].finish_reason)
    assert not reason and SENTENCE.startswith(text)
    assert caught.value.code >= 500
    assert bool(text) == (model != "stillborn")


@pytest.mark.parametrize("model", ["undone", "odd", "fields", "fallback", "fallback-cut"])
def test_odd_streams_are_complete(model):
    chunks = list(stream(model))
    assert "".join(chunk.text or "" for chunk in chunks) == SENTENCE
    assert chunks[-1].usage_metadata.candidates_token_count == 14


def test_leaving_cancels_upstream():
    before = upstream("counts")["gone"]
    pieces = stream("endless")
    next(pieces)
    pieces.close()
    assert upstream(f"counts?gone={before + 1}")["gone"] == before + 1
