"""Shared by the Python suites: clients, and what the environment says about the server under test.

sdk_test.go starts the server and sets the environment. FAIRLEAD_REAL=1: a real local model answers. FAIRLEAD_SDK_DIRECT=1:
the fake upstream itself answers, without Fairlead between, which shows that a failure is the suite's own.
"""

import json
import os
import urllib.request

import openai
import pytest

REAL = os.environ.get("FAIRLEAD_REAL") == "1"
DIRECT = os.environ.get("FAIRLEAD_SDK_DIRECT") == "1"
MODEL = os.environ.get("FAIRLEAD_MODEL", "chat")
EMBED = os.environ.get("FAIRLEAD_EMBED_MODEL", "embed")
PATIENCE = 60  # seconds; bounds what hangs, nothing takes a tenth of it


def pytest_collection_modifyitems(items):
    """Leaves out what does not fit the server: a file is for the fake or for the real model."""
    for item in list(items):
        real = item.fspath.basename == "test_real.py"
        if real != REAL or (DIRECT and item.get_closest_marker("gateway")):
            items.remove(item)


def pytest_configure(config):
    config.addinivalue_line("markers", "gateway: needs Fairlead between the SDK and the upstream")


def make_client(**options):
    return openai.OpenAI(
        **{
            "base_url": os.environ["FAIRLEAD_BASE_URL"],
            "api_key": os.environ["FAIRLEAD_API_KEY"],
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


def ask(text="hi"):
    return [{"role": "user", "content": text}]
