"""What a person types, at a real terminal: passphrases, pasted text, and how prompts end."""

import os
import re
import sys
import time

import pytest

pexpect = pytest.importorskip("pexpect")
if os.name == "nt":
    pytest.skip("Windows has no pty", allow_module_level=True)

ONDEVICE = f"{sys.executable} -m ondevice"
pytestmark = pytest.mark.model  # whole programs at a terminal, and the model answers
READY = "READY> "
PASTE = "\x1b[200~{}\x1b[201~"


@pytest.fixture
def spawn(home):
    running = []

    def start(command, *arguments, **environment):
        env = {**os.environ, "TERM": "xterm", "PYTHONUNBUFFERED": "1", **environment}
        child = pexpect.spawn(command, list(arguments), env=env, encoding="utf-8", timeout=120)
        running.append(child)
        return child

    yield start
    for child in running:
        child.close(force=True)


@pytest.fixture
def shell(spawn):
    child = spawn("bash", "--norc", "--noprofile", PS1=READY)
    child.expect(READY)
    return child


@pytest.fixture
def chat(spawn):
    def start(*options, program="import sys; from ondevice.cli import main; main()"):
        arguments = ["-c", program, "chat", "--max-tokens", "1", *options]
        return spawn(sys.executable, *arguments)

    return start


def _answers(child, *typed):
    for prompt, text in typed:
        child.expect(prompt)
        child.send(text)


def test_a_passphrase_that_was_mistyped_is_asked_for_again(shell):
    shell.sendline(f"{ONDEVICE} memory add 'I like tea.'")
    _answers(shell, ("Passphrase: ", "secret-1\n"), ("again: ", "secret-2\n"))
    shell.expect("differ")
    _answers(shell, ("Passphrase: ", "\n"))
    shell.expect("empty")
    _answers(shell, ("Passphrase: ", "secret-1\n"), ("again: ", "secret-1\n"))
    shell.expect("Remembered")
    shell.expect(READY)
    shell.sendline(f"{ONDEVICE} memory list")
    _answers(shell, ("Passphrase: ", "secret-3\n"))
    shell.expect("does not open")
    _answers(shell, ("Passphrase: ", "secret-1\n"))
    shell.expect("likes tea")


def test_what_is_typed_ahead_of_a_passphrase_reaches_no_shell(shell, tmp_path):
    log = tmp_path / "log"
    with log.open("w") as shell.logfile_read:
        shell.sendline(f"{ONDEVICE} memory add 'I like tea.'")
        for number in range(3):
            more = "secret-y\n" * 2 if number == 2 else ""
            _answers(
                shell, ("Passphrase: ", f"secret-{number}\n"), ("again: ", f"secret-x\n{more}")
            )
        shell.expect(READY)
        shell.sendline("stty -a | grep -c -- ' echo '; echo $?")
        shell.expect("1\r\n0\r\n")
    assert "secret" not in log.read_text()


@pytest.mark.parametrize("end", ["\x03", "\x04", "abc\x03"])
def test_a_prompt_that_is_left_leaves_a_sound_terminal(shell, end):
    shell.sendline(f"{ONDEVICE} memory add 'I like tea.'")
    _answers(shell, ("Passphrase: ", end))
    shell.expect("Stopped")
    shell.expect(READY)
    assert "abc" not in shell.before
    shell.sendline("stty -a | grep -c -- ' echo '")
    shell.expect("1\r\n")


def test_a_passphrase_may_be_pasted_and_a_missing_file_is_said(shell):
    shell.sendline(f"{ONDEVICE} memory add 'I like tea.'")
    _answers(shell, ("Passphrase: ", PASTE.format("secret-1") + "\n"), ("again: ", "secret-1\n"))
    shell.expect("Remembered")
    shell.sendline(f"ONDEVICE_PASSPHRASE_FILE=/nowhere/it {ONDEVICE} memory list")
    shell.expect("/nowhere/it, which cannot be read: there is no such file")
    shell.sendline(f"{ONDEVICE} memory list </dev/null")
    shell.expect("ONDEVICE_PASSPHRASE_FILE")


# --- chats -----------------------------------------------------------------------------------

HIDDEN = "import sys; sys.modules['readline'] = None; from ondevice.cli import main; main()"
LIBEDIT = (
    "import readline, sys, types; plain = types.ModuleType('readline', 'libedit'); "
    "plain.__dict__.update({n: v for n, v in vars(readline).items() if not n.startswith('__')}); "
    "sys.modules['readline'] = plain; from ondevice.cli import main; main()"
)
GNU = "import sys; from ondevice.cli import main; main()"


def _said(child, tmp_path):
    """Return the messages of a chat, as it saves them."""
    file = tmp_path / "said"
    child.expect("> ")
    child.send(f"/save {file}\r")
    child.expect("Saved")
    return re.findall(r"\*\*you\*\*: (.*?)\n\n\*\*", file.read_text(), re.DOTALL)


@pytest.fixture
def passphrase(home, tmp_path, monkeypatch):
    file = tmp_path / "passphrase"
    file.write_text("only for tests\n")
    monkeypatch.setenv("ONDEVICE_PASSPHRASE_FILE", str(file))


@pytest.mark.parametrize("program", [GNU, HIDDEN], ids=["readline", "none"])
def test_a_pasted_block_is_one_message(chat, passphrase, tmp_path, program):
    child = chat("--temporary", program=program)
    child.expect("> ")
    child.send(PASTE.format("One.\nTwo.\\\n/exit\n\nThree."))
    time.sleep(0.5)
    child.send("\r")
    child.expect("temporary: nothing read")
    assert _said(child, tmp_path) == ["One.\nTwo.\\\n/exit\n\nThree."]


def test_lines_that_come_at_once_are_one_message_where_pastes_have_no_marks(
    chat, passphrase, tmp_path
):
    child = chat("--temporary", program=LIBEDIT)
    child.expect("> ")
    child.send("One.\rTwo.\r\rThree.\r")
    child.expect("Three")
    time.sleep(0.5)
    child.send("\r")
    child.expect("temporary: nothing read")
    child.expect("> ")
    child.send("Four.\r")
    child.expect("temporary: nothing read")
    assert _said(child, tmp_path) == ["One.\nTwo.\n\nThree.", "Four."]


def test_alt_enter_and_a_backslash_begin_a_new_line(chat, passphrase, tmp_path):
    child = chat("--temporary")
    child.expect("> ")
    child.send("One.\x1b\rTwo.\r")
    child.expect("temporary: nothing read")
    child.expect("> ")
    child.send("Three. \\\r")
    child.expect("… ")
    child.send("Four.\r")
    child.expect("temporary: nothing read")
    assert _said(child, tmp_path) == ["One.\nTwo.", "Three. \nFour."]


def test_control_characters_in_a_paste_do_no_harm(chat, passphrase, tmp_path):
    child = chat("--temporary")
    child.expect("> ")
    child.send(PASTE.format("a\x1b[31mb\x01c\x7fd\te") + "\r")
    child.expect("temporary: nothing read")
    child.expect("> ")
    child.send(PASTE.format("One.\x03Two.\nThree.\n"))
    child.expect("leaves")
    time.sleep(0.5)
    child.send("Four.\r")
    child.expect("temporary: nothing read")
    assert _said(child, tmp_path) == ["abcd\te", "Four."]


def test_a_paste_of_a_megabyte_is_answered_or_refused_in_a_sentence(chat, passphrase):
    child = chat("--temporary")
    child.expect("> ")
    text = "".join(f"Word {number}.\n" for number in range(90_000))
    for start in range(0, len(text), 50_000):
        child.send((PASTE[:6] if not start else "") + text[start : start + 50_000])
    child.send("\x1b[201~\r")
    child.expect("Error: .*shorten it", timeout=180)
    child.send("Hello.\r")
    child.expect("temporary: nothing read")


def test_leaving_the_question_of_a_correction_leaves_the_chat_open(chat, passphrase):
    child = chat()
    child.expect("> ")
    child.send("Hello.\r")
    child.expect("> ")
    for end in ("\x04", "\x03"):
        child.send("/edit\r")
        child.expect("instead: ")
        child.send("\x15" + end)
        child.expect("Nothing was changed")
    child.send("/exit\r")
    child.expect(pexpect.EOF)


def _records(home):
    from ondevice.store.profile import Profile

    with Profile.open(home, None) as profile:
        facts = [(fact.id, fact.text, fact.state) for fact in profile.facts.all()]
        return (
            facts,
            profile.sources.count_records(),
            len(profile.feedback.all()),
            len(profile.journal.events()),
        )


@pytest.mark.parametrize("by", ["option", "command"])
def test_a_temporary_chat_changes_nothing_that_is_kept(chat, passphrase, home, by):
    from ondevice.store.profile import Profile

    with Profile.open(home, None, create=True) as profile:
        fact = profile.facts.add("The user likes tea.")
        profile.facts.add("The user plays chess.", state="pending")
    before = _records(home)
    child = chat(*(["--temporary"] if by == "option" else []))
    child.expect("> ")
    if by == "command":
        child.send("/temp\r")
        child.expect("Temporary chat")
        child.expect("> ")
    child.send("My name is Zoe.\r")
    child.expect("temporary: nothing read")
    writing = "/remember I own a canoe.|/pending|/approve all|/reject all|/undo|/good|/bad|/edit No"
    for line in (*writing.split("|"), "/edit editor", f"/forget {fact.id}"):
        child.expect("> ")
        child.send(f"{line}\r")
        child.expect(f"keeps nothing, so {line.split()[0]} did nothing")
    child.expect("> ")
    child.send("/exit\r")
    child.expect(pexpect.EOF)
    assert _records(home) == before
