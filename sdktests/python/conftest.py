"""Shared by the Python suites: OpenAI's client, and what the environment says about the server under test.

sdk_test.go starts the server, sets the environment and names the files to run. FAIRLEAD_SDK_DIRECT=1:
the fake upstream itself answers, without Fairlead between, which shows that a failure is the suite's own.
"""

import json
import os
import urllib.request

import openai
import pytest

SENTENCE = "Ahoy! The café is naïve — 你好 — and the ship 🚢 sails on."
DIRECT = os.environ.get("FAIRLEAD_SDK_DIRECT") == "1"
MODEL = os.environ.get("FAIRLEAD_MODEL", "chat")
EMBED = os.environ.get("FAIRLEAD_EMBED_MODEL", "embed")
URL = os.environ["FAIRLEAD_BASE_URL"].removesuffix("/v1")  # what the SDKs of others take as the base
KEY = os.environ["FAIRLEAD_API_KEY"]
PATIENCE = 60  # seconds; bounds what hangs, nothing takes a tenth of it


def pytest_collection_modifyitems(items):
    """Leaves out what needs Fairlead between where it is not."""
    for item in list(items):
        if DIRECT and item.get_closest_marker("gateway"):
            items.remove(item)


def pytest_configure(config):
    config.addinivalue_line("markers", "gateway: needs Fairlead between the SDK and the upstream")


def make_client(**options):
    return openai.OpenAI(
        **{
            "base_url": os.environ["FAIRLEAD_BASE_URL"],
            "api_key": KEY,
            "timeout": PATIENCE,
            "max_retries": 0,
            **options,
        }
    )


@pytest.fixture(scope="session")
def client():
    with make_client() as made:
        yield made


def upstream(path, body=None):
    """Asks or steers the fake upstream; see control.go of internal/testkit."""
    url = os.environ["FAIRLEAD_FAKE_URL"] + "/_fake/" + path
    with urllib.request.urlopen(url, data=body, timeout=PATIENCE) as answer:
        return json.loads(answer.read() or b"null")


def sent(path=""):
    """What the fake upstream was sent last, on a path that holds this: its body, its headers by lower-case name."""
    row = [row for row in upstream("requests") if path in row["path"] and row["method"] == "POST"][-1]
    return json.loads(row["body"]), {name.lower(): values[0] for name, values in row["header"].items()}


def ask(text="hi"):
    return [{"role": "user", "content": text}]
