"""Settings: each is checked by what will use it, and a file that is wrong costs only its lines."""

import os

import pytest

from ondevice.cli import run
from ondevice.errors import SettingsError
from ondevice.models.base_model import resolve
from ondevice.settings import Settings, settings_path
from ondevice.settings_file import flat, set_value


def _write(home, content):
    home.config.mkdir(parents=True, exist_ok=True)
    file = settings_path(home)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


GOOD = "[generation]\ntop_k = 7\n[model]\nn_ctx = 512\n"


@pytest.mark.parametrize(
    ("content", "line", "kept"),
    [
        ("[generation]\ntemperature = hot\ntop_k = 7\n", 2, {"generation.top_k": 7}),
        ("[generation]\ntemperature = 9\ntop_k = 7\n", 2, {"generation.top_k": 7}),
        ("[generation]\ntop_k = '7'\nseed = 3\n", 2, {"generation.seed": 3}),
        ("[generation]\ntemprature = 1\ntop_k = 7\n", 2, {"generation.top_k": 7}),
        (f"{GOOD}[modl]\nx = 1\n", 5, {"generation.top_k": 7, "model.n_ctx": 512}),
        (f"{GOOD}[recall\nmemories = 2\n", 5, {"model.n_ctx": 512, "recall.memories": 40}),
        (f"load = 1\n{GOOD}", 1, {"generation.top_k": 7, "model.n_ctx": 512}),
        (f"{GOOD}[generation]\ntop_p = 0.5\n", 5, {"generation.top_k": 7, "model.n_ctx": 512}),
        ("[generation]\ntop_k = 7\ntop_k = 8\nseed = 3\n", 3, {"generation.seed": 3}),
        (f"{GOOD}n_threads = {'1' * 5000}\n", 5, {"generation.top_k": 7, "model.n_ctx": 512}),
        (f"{GOOD}n_threads = {'1' * 500}\n", 5, {"generation.top_k": 7}),
        (GOOD.encode() + b"# caf\xe9\n", 5, {"generation.top_k": 7, "model.n_ctx": 512}),
        (b"\xef\xbb\xbf" + GOOD.encode() + b"x=\r\n", 5, {"generation.top_k": 7}),
    ],
)
def test_one_wrong_line_is_named_and_takes_no_other_down(home, content, line, kept):
    file = _write(home, content)
    told = []
    settings = Settings.load(file, told.append)
    assert len(told) == 1 and f"{file}: line {line}: " in told[0]
    assert {name: flat(settings)[name] for name in kept} == kept
    with pytest.raises(SettingsError, match=f"line {line}: "):
        Settings.load(file)
    saved = set_value(home, "recall.memories", "3")
    assert saved.value == 3 and saved.left_out
    assert flat(Settings.load(file)) == {**flat(settings), "recall.memories": 3}


@pytest.mark.parametrize(
    "content",
    [
     "[model\n", "model = 3\n", "[[model]]\n", "[model.x]\ny = 1\n", "[a]\n[a]\n",
     "x = '''\n[model]\n",
     b"\xff\xfe[\x00m\x00", b"\x00\x00\x00", "]" * 3000, "x=" + "[" * 3000,
     "[model]\nname = \"a\nb\"\n",
     "[generation]\ntop_k = [\n7,\n8\n", "[model]\n\n[generation]\n[model]\n"],
)  # fmt: skip
def test_any_file_can_be_repaired_by_setting_something(home, content):
    file = _write(home, content)
    told = []
    before = flat(Settings.load(file, told.append))
    assert len(told) == 1
    set_value(home, "generation.top_k", "9")
    assert flat(Settings.load(file)) == {**before, "generation.top_k": 9}


def test_setting_a_wrong_line_again_replaces_it(home):
    file = _write(home, "# mine\n[generation]\ntemperature = 77  # hot\ntop_k = 7\n")
    set_value(home, "generation.temperature", "0.5")
    text = file.read_text()
    assert text == "# mine\n[generation]\ntemperature = 0.5  # hot\ntop_k = 7\n"


def test_lines_that_mean_nothing_stay_readable_as_comments(home):
    file = _write(home, "[generation]\ntop_k = 7\n[modl]\nname = 'x'\n")
    set_value(home, "generation.top_k", "9")
    assert "# left out: [modl]\n# left out: name = 'x'\n" in file.read_text()


@pytest.mark.parametrize(
    "value", ["nobody", "", "/nowhere/a.gguf", "text.gguf", "folder", "a\x00b", "a\nb", "a\udcffb"]
)
def test_a_base_model_that_could_not_be_used_is_not_saved(home, tmp_path, monkeypatch, value):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.gguf").write_text("no model")
    (tmp_path / "folder").mkdir()
    with pytest.raises(SettingsError, match=r"model\.name"):
        set_value(home, "model.name", value)
    assert not settings_path(home).exists()


def test_the_path_of_a_base_model_is_kept_whole(home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.gguf").symlink_to(resolve("default", home).path)
    assert set_value(home, "model.name", "mine.gguf").value == str(tmp_path / "mine.gguf")
    assert set_value(home, "model.name", "default").value == "default"


@pytest.mark.parametrize(
    ("name", "value"),
    [("model.n_threads", "100000"), ("model.n_threads", str(4 * (os.cpu_count() or 1) + 1)),
     ("model.n_threads", "-1"), ("recall.memory_tokens", "9" * 400),
     ("learning.keep_candidates", "1" * 5000),
     ("generation.max_tokens", str(2**31)), ("learning.neutral_growth", "inf")],
)  # fmt: skip
def test_numbers_are_bounded_by_what_the_machine_can_do(home, name, value):
    with pytest.raises(SettingsError, match=name.replace(".", r"\.")):
        set_value(home, name, value)
    assert not settings_path(home).exists()


@pytest.mark.parametrize("command", [["chat"], ["ask", "Hi"]])
def test_a_model_that_went_missing_is_said_with_the_way_out(home, capfd, command):
    file = _write(home, "[model]\nname = '/nowhere/gone.gguf'\n")
    assert run(command) == 1
    err = capfd.readouterr().err
    assert "gone.gguf" in err and "ondevice config set model.name default" in err
    assert run(["config", "set", "model.name", "default"]) == 0
    assert Settings.load(file).model.name == "default"


def test_the_doctor_looks_at_the_settings(home, capfd):
    from ondevice.cli import doctor

    def look():  # the command looks at everything, which takes its time
        return doctor._run("settings", dict(doctor.CHECKS)["settings"])  # as the command does

    _write(home, "[model]\nn_ctx = 'x'\n")
    finding = look()
    assert not finding.ok and "line 2" in finding.text
    _write(home, "[model]\nname = 'gone'\n")
    finding = look()
    assert not finding.ok and "config set model.name default" in finding.text
    _write(home, "")
    assert look().ok


def test_other_commands_go_on_and_say_it_once(home, capfd):
    file = _write(home, "[model]\nn_ctx = 'many'\n")
    assert run(["memory", "list"]) == 0
    assert capfd.readouterr().err.count(f"{file}: line 2") == 1
