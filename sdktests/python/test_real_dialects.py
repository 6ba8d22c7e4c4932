"""Everyone's Python SDKs against a real small model on this machine: what must hold whatever it says."""

import anthropic
import ollama
from google import genai
from google.genai import types
from pydantic import BaseModel

from conftest import EMBED, KEY, MODEL, PATIENCE, URL, ask, make_client

SEA = "Write one short sentence about the sea."
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 20}},
    "required": ["city"],
    "additionalProperties": False,
}

claude = anthropic.Anthropic(base_url=URL, api_key=KEY, timeout=PATIENCE, max_retries=0)
gemini = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=URL, timeout=PATIENCE * 1000))
openai = make_client()


class Transfer(BaseModel):
    sender: str
    amount: int


def test_anthropic():
    answer = claude.messages.create(model=MODEL, max_tokens=24, messages=ask(SEA), system="Be brief.")
    assert answer.content[0].text.strip() and answer.stop_reason in ("end_turn", "max_tokens")
    assert answer.usage.input_tokens > 5 and 0 < answer.usage.output_tokens <= 24


def test_anthropic_stream():
    with claude.messages.stream(model=MODEL, max_tokens=24, messages=ask(SEA)) as stream:
        pieces = list(stream.text_stream)
        final = stream.get_final_message()
    assert len(pieces) > 1 and "".join(pieces) == final.content[0].text
    assert final.stop_reason in ("end_turn", "max_tokens") and 0 < final.usage.output_tokens <= 24


def test_anthropic_tool():
    tools = [{"name": "weather", "description": "Tells the weather in a city.", "input_schema": WEATHER}]
    options = {"model": MODEL, "max_tokens": 96, "tools": tools}
    answer = claude.messages.create(messages=ask("What is the weather in Paris?"), tool_choice={"type": "any"}, **options)
    call = answer.content[-1]
    assert (answer.stop_reason, call.type, call.name) == ("tool_use", "tool_use", "weather") and isinstance(call.input["city"], str)
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "17 degrees"}]}
    second = claude.messages.create(
        messages=[*ask("What is the weather in Paris?"), {"role": "assistant", "content": answer.content}, result],
        tool_choice={"type": "none"}, **{**options, "max_tokens": 24},
    )
    assert second.content[0].text.strip()


def test_genai():
    config = types.GenerateContentConfig(max_output_tokens=24, system_instruction="Be brief.")
    answer = gemini.models.generate_content(model=MODEL, contents=SEA, config=config)
    assert answer.text.strip() and answer.candidates[0].finish_reason in (types.FinishReason.STOP, types.FinishReason.MAX_TOKENS)
    assert answer.usage_metadata.prompt_token_count > 5
    chunks = list(gemini.models.generate_content_stream(model=MODEL, contents=SEA, config=config))
    assert "".join(chunk.text or "" for chunk in chunks).strip() and len(chunks) > 1
    assert chunks[-1].usage_metadata.candidates_token_count > 0


def test_genai_function():
    declared = types.FunctionDeclaration(name="weather", description="Tells the weather in a city.", parameters_json_schema=WEATHER)
    forced = types.ToolConfig(function_calling_config=types.FunctionCallingConfig(mode="ANY"))
    config = types.GenerateContentConfig(tools=[types.Tool(function_declarations=[declared])], tool_config=forced, max_output_tokens=96, temperature=0)
    call = gemini.models.generate_content(model=MODEL, contents="What is the weather in Paris?", config=config).function_calls[0]
    assert call.name == "weather" and isinstance(call.args["city"], str)


def test_genai_schema_and_embedding():
    config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=Transfer, max_output_tokens=96, temperature=0)
    answer = gemini.models.generate_content(model=MODEL, contents="Alice sends 3 coins to Bob.", config=config)
    assert isinstance(answer.parsed, Transfer)
    assert len(gemini.models.embed_content(model=EMBED, contents="sea").embeddings[0].values) == 256


def test_responses():
    answer = openai.responses.create(model=MODEL, input=SEA, instructions="Be brief.", max_output_tokens=24)
    assert answer.output_text.strip() and answer.usage.input_tokens > 5 and 0 < answer.usage.output_tokens <= 24
    events = list(openai.responses.create(model=MODEL, input=SEA, max_output_tokens=24, stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[-1].type in ("response.completed", "response.incomplete")
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == events[-1].response.output_text


def test_responses_tool():
    tools = [{"type": "function", "name": "weather", "description": "Tells the weather in a city.", "parameters": WEATHER, "strict": True}]
    options = {"model": MODEL, "input": "What is the weather in Paris?", "tools": tools, "tool_choice": "required", "max_output_tokens": 96, "temperature": 0}
    with openai.responses.stream(**options) as events:
        events.until_done()
        answer = events.get_final_response()
    assert [(item.type, item.name) for item in answer.output if item.type != "message"] == [("function_call", "weather")]


def test_ollama():
    client = ollama.Client(host=URL, headers={"Authorization": "Bearer " + KEY}, timeout=PATIENCE)
    chunks = list(client.chat(model=MODEL, messages=ask(SEA), stream=True, options={"num_predict": 24}))
    assert "".join(chunk.message.content or "" for chunk in chunks).strip() and chunks[-1].done and chunks[-1].eval_count > 0
