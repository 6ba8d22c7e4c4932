"""Ollama's client and LangChain, before targets that speak OpenAI's dialect."""

import ollama
import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

from conftest import EMBED, KEY, MODEL, PATIENCE, SENTENCE, URL, ask, sent

# Ollama

client = ollama.Client(host=URL, headers={"Authorization": "Bearer " + KEY}, timeout=PATIENCE)
CLOCK = {
    "type": "function",
    "function": {
        "name": "clock",
        "description": "Tells the time.",
        "parameters": {"type": "object", "properties": {"zone": {"type": "string"}}, "required": ["zone"]},
    },
}


def test_ollama_chat():
    answer = client.chat(model=MODEL, messages=ask(), options={"temperature": 0.5, "num_predict": 50, "seed": 7})
    assert (answer.model, answer.done, answer.done_reason) == (MODEL, True, "stop")
    assert (answer.message.role, answer.message.content) == ("assistant", SENTENCE)
    assert (answer.prompt_eval_count, answer.eval_count) == (5, 14)
    body, _ = sent("/chat/completions")
    assert (body["temperature"], body["seed"]) == (0.5, 7)


def test_ollama_stream():
    chunks = list(client.chat(model=MODEL, messages=ask(), stream=True))
    assert "".join(chunk.message.content or "" for chunk in chunks) == SENTENCE
    assert [chunk.done for chunk in chunks] == [False] * (len(chunks) - 1) + [True] and len(chunks) >= 14
    assert (chunks[-1].done_reason, chunks[-1].prompt_eval_count, chunks[-1].eval_count) == ("stop", 5, 14)


@pytest.mark.parametrize("stream", [False, True])
def test_ollama_tools(stream):
    answer = client.chat(model=MODEL, messages=ask(), tools=[CLOCK], stream=stream)
    answers = list(answer) if stream else [answer]
    made = [call for chunk in answers for call in chunk.message.tool_calls or []]
    assert [(call.function.name, call.function.arguments) for call in made] == [("clock", {"zone": "Paris"})]
    turns = [*ask(), {"role": "assistant", "tool_calls": made}, {"role": "tool", "tool_name": "clock", "content": "noon"}]
    assert client.chat(model=MODEL, messages=turns, tools=[CLOCK]).message.content == "The tool said: noon"


def test_ollama_format_and_thinking():
    schema = {"type": "object", "properties": {"kind": {"type": "string"}}, "required": ["kind"]}
    assert client.chat(model=MODEL, messages=ask(), format=schema).message.content == '{"kind":"Paris"}'
    thought = client.chat(model="thinks", messages=ask(), think=True)
    assert thought.message.thinking and thought.message.content == SENTENCE


def test_ollama_generate():
    answer = client.generate(model=MODEL, prompt="hi", options={"num_predict": 50})
    assert answer.response == SENTENCE and answer.done
    assert "".join(chunk.response for chunk in client.generate(model=MODEL, prompt="hi", stream=True, options={"num_predict": 50})) == SENTENCE


def test_ollama_embed_and_list():
    total = sum(b"sea")
    got = client.embed(model=EMBED, input=["sea"], dimensions=5)
    assert [list(row) for row in got.embeddings] == [[((total + 31 * i) % 257 - 128) / 128 for i in range(5)]]
    assert MODEL in [row.model for row in client.list().models]


@pytest.mark.parametrize(("model", "status"), [("nobody", 404), ("limited", 429), ("failing", 502), ("overloaded", 503)])
def test_ollama_errors(model, status):
    for stream in (False, True):
        with pytest.raises(ollama.ResponseError) as caught:
            answer = client.chat(model=model, messages=ask(), stream=stream)
            list(answer)
        assert caught.value.status_code == status and caught.value.error


@pytest.mark.parametrize("model", ["breaks", "cut", "reset", "mute"])
def test_ollama_broken_stream(model):
    done, text = False, ""
    with pytest.raises(ollama.ResponseError):
        for chunk in client.chat(model=model, messages=ask(), stream=True):
            done, text = done or chunk.done, text + (chunk.message.content or "")
    assert not done and text and SENTENCE.startswith(text)


def test_ollama_what_is_not_here():
    for ask_for in (client.ps, lambda: client.show(MODEL)):
        with pytest.raises(ollama.ResponseError) as caught:
            ask_for()
        assert caught.value.status_code == 404 and caught.value.error.startswith("there is no ")


def test_ollama_wrong_key():
    with pytest.raises(ollama.ResponseError) as caught:
        ollama.Client(host=URL, headers={"Authorization": "Bearer wrong"}).chat(model=MODEL, messages=ask())
    assert caught.value.status_code == 401


# LangChain


@tool
def clock(zone: str) -> str:
    """Tells the time in a zone."""
    return "noon in " + zone


def chats(model=MODEL, **options):
    common = {"model": model, "api_key": KEY, "max_retries": 0, "timeout": PATIENCE, **options}
    return {
        "openai": lambda: ChatOpenAI(base_url=URL + "/v1", stream_usage=True, **common),
        "responses": lambda: ChatOpenAI(base_url=URL + "/v1", use_responses_api=True, **common),
        "anthropic": lambda: ChatAnthropic(base_url=URL, max_tokens=100, **common),
    }


@pytest.mark.parametrize("surface", chats())
def test_langchain(surface):
    chat = chats()[surface]()
    whole = chat.invoke("hi")
    assert whole.text == SENTENCE
    assert whole.usage_metadata["input_tokens"] == 5 and whole.usage_metadata["output_tokens"] == 14
    pieces = list(chat.stream("hi"))
    total = pieces[0]
    for piece in pieces[1:]:
        total += piece
    assert total.text == SENTENCE and len(pieces) >= 14
    assert total.usage_metadata["output_tokens"] == 14


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("surface", chats())
def test_langchain_tools(surface, streamed):
    chat = chats()[surface]().bind_tools([clock])
    if streamed:
        answer = None
        for piece in chat.stream("hi"):
            answer = piece if answer is None else answer + piece
    else:
        answer = chat.invoke("hi")
    assert [(call["name"], call["args"]) for call in answer.tool_calls] == [("clock", {"zone": "Paris"})]
    result = ToolMessage(clock.invoke(answer.tool_calls[0]["args"]), tool_call_id=answer.tool_calls[0]["id"])
    assert chat.invoke([HumanMessage("hi"), answer, result]).text == "The tool said: noon in Paris"


@pytest.mark.parametrize("surface", chats())
def test_langchain_structured(surface):
    schema = {"title": "Pet", "description": "A pet.", "type": "object", "properties": {"kind": {"type": "string"}}, "required": ["kind"], "additionalProperties": False}
    assert chats()[surface]().with_structured_output(schema).invoke("hi") == {"kind": "Paris"}


def test_langchain_embeddings():
    embeddings = OpenAIEmbeddings(model=EMBED, base_url=URL + "/v1", api_key=KEY, check_embedding_ctx_length=False)
    total = sum(b"sea")
    assert embeddings.embed_query("sea") == [((total + 31 * i) % 257 - 128) / 128 for i in range(64)]
