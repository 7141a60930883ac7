"""`llm -m ondevice`, with the real `llm`."""

from __future__ import annotations

import os
import subprocess
import sys

import llm
import pytest

from ondevice.cli import run
from ondevice.store.profile import Profile

pytestmark = pytest.mark.model  # the model answers


def test_llm_answers_from_the_profile(home, tmp_path):
    run(["memory", "add", "My dog is called Biscuit."])
    environment = {**os.environ, "LLM_USER_PATH": str(tmp_path / "llm")}

    def ask(*arguments):
        command = [sys.executable, "-m", "llm", *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=environment)

    options = ("-o", "max_tokens", "12", "-o", "temperature", "0", "--no-log")
    answer = ask("-m", "ondevice", *options, "What is my dog called?")
    assert answer.returncode == 0, answer.stderr
    assert "Biscuit" in answer.stdout
    with Profile.open(home) as profile:
        turns = [turn.role for turn in profile.turns.all()]
    assert turns == ["user", "assistant"]


@pytest.mark.parametrize("temporary", [False, True])
def test_a_conversation_goes_on(home, temporary):
    model = llm.get_model("ondevice")
    try:
        chat = model.conversation()
        options = {"max_tokens": 4, "temperature": 0, "temporary": temporary}
        first = chat.prompt("Name a colour.", **options).text()
        second = chat.prompt("And another one.", **options)
        second.text()
        assert second.usage().input > 0
        third = chat.prompt("Say hello.", system="Be brief.", **options)
        assert third.text()
        opened = model._opened[1]  # another program could not read the profile of a temporary chat
        turns = opened.profile.turns.all()
        if temporary:
            assert turns == []
            return
        asked = [turn for turn in turns if turn.role == "user"]
        assert [turn.text for turn in asked[:2]] == ["Name a colour.", "And another one."]
        assert turns[1].text == first
        assert asked[0].conversation_id == asked[1].conversation_id
    finally:
        opened = model._opened  # `llm` never closes a model
        if opened is not None:
            opened[1].close()


def test_errors_are_one_sentence(home):
    with pytest.raises(llm.ModelError, match=r"no-such\.gguf"):
        llm.get_model("ondevice").prompt("Hi", base="/no-such.gguf").text()
    with pytest.raises(ValueError, match="temperature"):
        llm.get_model("ondevice").prompt("Hi", temperature=9)
