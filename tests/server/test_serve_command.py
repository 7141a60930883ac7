"""`ondevice serve` as its user runs it, with the real model."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time

import openai
import pytest

from ondevice.chat import Assistant
from ondevice.errors import AdapterBaseMismatchError
from ondevice.store.profile import Profile

pytestmark = pytest.mark.model  # the command is a whole program


@pytest.fixture
def served(home, tmp_path):
    token = tmp_path / "token"
    process = subprocess.Popen(
        [sys.executable, "-m", "ondevice", "serve", "--port", "0", "--token-file", str(token)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:"), process.stderr.read()
        yield process, address, token.read_text().strip()
    finally:
        process.kill()
        process.communicate()


@pytest.mark.skipif(os.name == "nt", reason="SIGTERM ends a process at once there")
def test_it_serves_and_stops_cleanly_in_the_middle_of_an_answer(served):
    process, address, token = served
    with openai.OpenAI(base_url=f"{address}/v1", api_key=token, max_retries=0) as client:
        schema = {
            "type": "object",
            "properties": {"colour": {"enum": ["red", "blue"]}, "count": {"type": "integer"}},
            "required": ["colour", "count"],
            "additionalProperties": False,
        }
        answer = client.chat.completions.create(
            model="smollm2-135m",
            messages=[{"role": "user", "content": "How many balls, and of which colour?"}],
            response_format={
                "type": "json_schema",
                "json_schema": {"name": "balls", "schema": schema},
            },
            max_tokens=40,
            seed=1,
            logprobs=True,
            top_logprobs=2,
        )
        balls = json.loads(answer.choices[0].message.content)
        assert balls["colour"] in ("red", "blue")
        assert isinstance(balls["count"], int)
        likely = answer.choices[0].logprobs.content
        assert (
            b"".join(bytes(t.bytes) for t in likely) == answer.choices[0].message.content.encode()
        )
        assert all(t.logprob <= t.top_logprobs[0].logprob <= 0 for t in likely)
        completion = client.completions.create(
            model="default", prompt="One, two, three,", max_tokens=3, temperature=0
        )
        assert "four" in completion.choices[0].text
        stream = client.chat.completions.create(
            model="default",
            messages=[{"role": "user", "content": "Tell me a long story."}],
            stream=True,
            max_tokens=2000,
        )
        assert next(iter(stream)).choices
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
        assert time.monotonic() - began < 10
        stream.close()
    errors = process.stderr.read()
    assert "Traceback" not in errors
    assert f"{address}/enter?key=" in errors
    assert token not in errors


@pytest.mark.parametrize("wrong", ["name = '/nowhere/gone.gguf'", "n_ctx = 'many'"])
def test_it_starts_with_settings_that_cannot_be_used_and_says_so(home, wrong):
    home.config.mkdir(parents=True)
    (home.config / "config.toml").write_text(f"[model]\n{wrong}\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "ondevice", "serve", "--port", "0", "--no-token"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        port = process.stdout.readline().strip().rpartition(":")[2]
        assert port.isdigit(), process.stderr.read()
        connection = http.client.HTTPConnection("127.0.0.1", int(port))
        connection.request("GET", "/api/state")
        state = json.loads(connection.getresponse().read())
        assert len(state["notices"]) == 1
        assert ("gone.gguf" if "gone" in wrong else "line 2") in state["notices"][0]
        body = json.dumps({"name": "model.name", "value": "default"})
        headers = {"Content-Type": "application/json"}
        connection.request("POST", "/api/settings", body, headers)
        assert connection.getresponse().status == 200
        connection.close()
    finally:
        process.kill()
        told = process.communicate()[1]
    assert state["notices"][0].split(";")[0] in told and "Traceback" not in told


def test_active_adapters_of_another_base_are_left_out_and_that_is_said(home):
    with Profile.open(home, None, create=True, warn=lambda _: None) as profile:
        row = profile.adapters.add(
            "old", file_sha256="e" * 64, base_sha256="f" * 64, rank=4, alpha=8.0
        )
        profile.adapters.set_active([(row.id, 1.0)])
    told = []
    with pytest.raises(AdapterBaseMismatchError):
        Assistant.open(home=home)
    with Assistant.open(home=home, stand_in=told.append) as me:
        assert [use.name for use in me.engine.active_adapters if use.name == "old"] == []
    assert len(told) == 1 and "'old' was made for another base model" in told[0]
    with pytest.raises(AdapterBaseMismatchError):  # named by the person: no stand-in
        Assistant.open(home=home, stand_in=told.append, adapters=[("old", None)])


@pytest.mark.skipif(sys.platform != "linux", reason="others have not all of 127.0.0.0/8")
@pytest.mark.parametrize(
    ("arguments", "address", "hosts"),
    [
        (["--host", "127.0.0.2", "--no-token"], "127.0.0.2", {"127.0.0.2": 200, "localhost": 200}),
        (
            ["--host", "0.0.0.0", "--allow-network", "--allow-host", "my.box"],
            "my.box",
            {"my.box": 200, "127.0.0.1": 200, "0.0.0.0": 421},
        ),
    ],
)
def test_it_tells_an_address_under_which_it_answers(home, arguments, address, hosts):
    process = subprocess.Popen(
        [sys.executable, "-m", "ondevice", "serve", "--port", "0", "--temporary", *arguments],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        told = process.stdout.readline().strip()
        assert told.startswith(f"http://{address}:")
        port = told.rpartition(":")[2]
        here = "127.0.0.2" if address == "127.0.0.2" else "127.0.0.1"
        for host, status in hosts.items():
            connection = http.client.HTTPConnection(here, int(port))
            connection.request("GET", "/health", headers={"Host": f"{host}:{port}"})
            assert connection.getresponse().status == status, host
            connection.close()
    finally:
        process.kill()
        process.communicate()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such limit")
def test_no_core_is_dumped():
    """A crash of native code would write keys and memories to the disk, in clear."""
    program = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_CORE, (4096, 4096));"
        "from ondevice.__main__ import main; sys.argv = ['ondevice', '--version']\n"
        "try: main()\n"
        "finally: print(resource.getrlimit(resource.RLIMIT_CORE)[0])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "0", done.stderr
