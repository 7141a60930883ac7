"""`ondevice model`: what its listings say."""

import json

import hub_server
import pytest

from ondevice.models.catalogue import CATALOGUE

pytestmark = pytest.mark.model  # the default model answers to be measured


def test_suggest(ondevice, checked_json):
    code, out, err = ondevice("model", "suggest")
    assert code == 0, err
    rows = [line.split("\t") for line in out.splitlines()]
    assert {row[1] for row in rows} == set(CATALOGUE)
    assert sum(row[0] == "*" for row in rows) == 1
    assert "estimates" in err and "smollm2-135m" in err and "ondevice model pull" in err
    code, out, err = ondevice("model", "suggest", "--json")
    told = json.loads(out)
    assert code == 0 and told["bytes_per_second"] > 0 and told["cores"] > 0
    assert checked_json == {"model suggest"}


def test_list_says_what_each_is_for(ondevice):
    lines = ondevice("model", "list")[1].splitlines()
    tiny = next(line for line in lines if "\tsmollm2-135m\t" in line)
    assert "tiny; comes along so that everything can be tried" in tiny
    assert "chat and memory only" in next(line for line in lines if "\tlfm2.5-350m\t" in line)
    assert "training" in next(line for line in lines if "\tqwen2.5-coder-0.5b\t" in line)


def test_suggest_with_no_model_here(ondevice, monkeypatch):
    from ondevice.models import base_model

    monkeypatch.setattr(base_model.importlib.util, "find_spec", lambda name: None)
    code, out, err = ondevice("model", "suggest")
    assert code == 0 and "no speed can be told" in err
    assert all("\t?\t" in line for line in out.splitlines())


def test_the_time_left_is_told_in_lines_too(ondevice, tmp_path):
    hub = hub_server.Hub(hub_server.tiny_model(tmp_path / "tiny.gguf"), plan=["trickle"])
    with hub_server.RunningHub(hub):
        code, _, err = ondevice("model", "pull", hub.url)
    assert code == 0 and "about 0:0" in err and "100 %" in err
