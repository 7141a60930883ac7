"""`ondevice chat`: a conversation in the terminal."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ondevice.cli.chat.session import continue_option, model_options, open_assistant, parse_adapter
from ondevice.cli.editor import edited
from ondevice.cli.lines import Prompt
from ondevice.cli.output import counted, replaced_line, stream, talk, warn
from ondevice.cli.remedies import told
from ondevice.errors import OndeviceError, explain
from ondevice.ground.files import expanded, write_atomic

if TYPE_CHECKING:
    from ondevice.chat import Assistant
    from ondevice.chat.receipt import Receipt
    from ondevice.chat.session import MemoryUse

HELP = """\
/remember TEXT       store something about you
/forget ID|WORDS     forget a memory for good
/memories [WORDS]    what is remembered, or what fits the words
/pending             proposed facts that wait for your decision
/approve N…|all      use them
/reject N…|all       delete them
/undo                take back the last /remember, saved fact, /approve, /reject or verdict
/why                 what the last answer was given
/good, /bad          judge the last answer; `ondevice learn` learns from it
/edit [TEXT|editor]  say what the last answer should have been
/temp                temporary chat on or off: reads and writes no memory
/adapter NAME[:SCALE]|off|on   use an adapter, none, or the active ones
/system [TEXT]       set or clear your own system prompt
/save FILE           write this conversation to a file, in clear
/new                 start a new conversation
/help                this list
/exit                leave (also Ctrl-D)

Ctrl-C stops an answer. What is pasted is one message; Enter sends it. End a line
with \\ to go on in the next one, press Alt+Enter, or put several lines between
two lines of \"\"\"."""


@click.command("chat")
@model_options
@continue_option
def command(**options: Any) -> None:
    """Chat with the model that knows you.

    Inside, /help lists what you can do.
    """
    interactive = sys.stdin.isatty()
    with open_assistant(options) as me:
        me.memory.reembedding.start()
        if options["continue_last"]:
            count = 2 * len(me.continue_conversation().exchanges)
            earlier = f"going on: {counted(count, 'earlier turn')}" if count else "no earlier chat"
            talk(f"({earlier})", dim=True)
        if interactive:
            _greet(me)
        ChatLoop(me, interactive).run()


def _greet(me: Assistant) -> None:
    adapters = ", ".join(f"{use.name}:{use.scale:g}" for use in me.engine.active_adapters)
    if me.conversation.is_temporary or me.profile is None:
        memory = "temporary: no memory"
    else:
        memory = f"profile {me.profile.name}"
    adapter = f"adapters {adapters}" if adapters else "no adapter"
    talk(
        f"{me.engine.model.name} · {memory} · {adapter} · /help for help, Ctrl-D to leave",
        dim=True,
    )


# What these do is kept, or deleted, for good; a temporary chat does neither.
WRITING = frozenset(
    ["remember", "forget", "pending", "approve", "reject", "undo", "good", "bad", "edit"]
)

PLACES = {
    "turn": "beside your turn",
    "earlier": "beside an earlier turn",
    "prefix": "in the notes about you",
}


class ChatLoop:
    """Reads lines, runs `/` commands, streams answers."""

    def __init__(self, me: Assistant, interactive: bool) -> None:
        """Talk with `me`; prompts and line editing only when `interactive`."""
        self.me = me
        self.interactive = interactive
        self.last: Receipt | None = None
        self.listed: list[str] = []  # ids that /memories has numbered
        self.log: list[tuple[str, str]] = self._said()
        self.prompt = Prompt(_history(me)) if interactive else None

    def run(self) -> None:
        """Go on until the input ends or `/exit`."""
        while True:
            try:
                text = self._read()
            except EOFError:
                if self.interactive:
                    talk("")
                return
            except KeyboardInterrupt:
                talk("\n(Ctrl-D or /exit leaves)", dim=True)
                continue
            if not text.strip():
                continue
            try:
                if text.startswith("/"):
                    if self._command(text) is False:
                        return
                else:
                    self._answer(text)
            except OndeviceError as error:
                warn(f"Error: {told(error.notice)}")
            except click.UsageError as error:
                warn(f"Error: {error}")
            except BrokenPipeError:
                raise  # nobody reads the answers any more
            except OSError as error:
                warn(f"Error: {error.filename or 'A file'}: {explain(error)}.")
            except KeyboardInterrupt:
                talk("\n(stopped)", dim=True)

    # --- input ----------------------------------------------------------------

    def _read(self) -> str:
        lines = [self._line("> ")]
        if "\n" in lines[0]:  # pasted: what stands in it means nothing to us
            return lines[0]
        with contextlib.suppress(EOFError):  # the end of the input ends what is begun, too
            if lines[0].strip() == '"""':
                del lines[0]
                while (line := self._line('" ')).strip() != '"""':
                    lines.append(line)
            else:
                while lines[-1].endswith("\\"):
                    lines[-1] = lines[-1][:-1]
                    lines.append(self._line("… "))
        return "\n".join(lines)

    def _line(self, prompt: str) -> str:
        if self.prompt is not None:
            return self.prompt.ask(prompt)
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        return line.rstrip("\n")

    # --- answers --------------------------------------------------------------

    def _answer(self, text: str) -> None:
        reply = self.me.chat(text)
        if not stream(reply):
            talk("(stopped; what was said so far is kept)", dim=True)
        self.last = reply.receipt
        self.log += [("you", text), ("assistant", reply.text)]
        talk(receipt_line(reply.receipt, temporary=self.me.conversation.is_temporary), dim=True)

    def _said(self) -> list[tuple[str, str]]:
        """Return what was said in the conversation that the assistant goes on with."""
        exchanges = self.me.conversation.exchanges
        return [pair for e in exchanges for pair in (("you", e.user), ("assistant", e.answer))]

    # --- commands -------------------------------------------------------------

    def _command(self, line: str) -> bool | None:
        name, rest = [*line[1:].split(None, 1), "", ""][:2]
        rest = rest.strip()
        handler = {
            "help": self._help,
            "remember": self._remember,
            "forget": self._forget,
            "memories": self._memories,
            "pending": self._pending,
            "approve": self._approve,
            "reject": self._reject,
            "undo": self._undo,
            "why": self._why,
            "good": self._good,
            "bad": self._bad,
            "edit": self._edit,
            "temp": self._temp,
            "adapter": self._adapter,
            "system": self._system,
            "save": self._save,
            "new": self._new,
        }.get(name)
        if name in ("exit", "quit", "bye"):
            return False
        if handler is None and "\n" in line:  # a pasted text that begins with a path, or so
            self._answer(line)
            return None
        if handler is None:
            talk(f"There is no /{name}; /help lists what there is.")
            return None
        if self.me.conversation.is_temporary and name in WRITING:
            way_out = "/temp turns memory on" if self.me.profile else "open one with a profile"
            talk(f"This chat is temporary and keeps nothing, so /{name} did nothing; {way_out}.")
            return None
        handler(rest)
        return None

    def _help(self, _: str) -> None:
        talk(HELP)

    def _remember(self, text: str) -> None:
        if not text:
            talk("Say what: /remember My dog is called Biscuit.")
            return
        kept = self.me.memory.keep(text)
        talk(f'Remembered ({kept.fact.category}): "{kept.fact.text}"  [{kept.fact.id}]')
        for fact in kept.replaced:
            talk(f"{replaced_line(fact)} (so does /undo)")

    def _forget(self, words: str) -> None:
        if not words:
            talk("Say what: /forget ID, a number of /memories, or words to look for.")
            return
        if words.isdecimal() and 0 < int(words) <= len(self.listed):
            ids = [self.listed[int(words) - 1]]
        elif " " not in words and self.me.profile is not None and self.me.profile.has(words):
            ids = [words]
        else:
            talk("No memory has that id. These fit the words; /forget NUMBER forgets one:")
            self._memories(words)
            return
        report = self.me.forget(*ids).report
        if (
            not self.me.conversation.is_temporary
        ):  # what was forgotten is not saved, and not explained
            self.log, self.last = self._said(), None
        stale = f"; adapters now stale: {', '.join(report.adapters_stale)}" * bool(
            report.adapters_stale
        )
        talk(f"Forgotten for good: {counted(len(report.records), 'record')}{stale}.")

    def _memories(self, words: str) -> None:
        profile = self.me.profile
        if profile is None:
            talk("There is no profile, so there are no memories.")
            return
        rows = (
            [(m.id, m.text) for m in self.me.recall(words, k=10)]
            if words
            else [(f.id, f.text) for f in profile.facts.all(state="active", scope=self.me.scope)]
        )
        self.listed = [record_id for record_id, _ in rows]
        for number, (_, text) in enumerate(rows, 1):
            talk(f"{number:3}  {' '.join(text.split())[:200]}")
        if not rows:
            talk("Nothing is remembered yet." if not words else "Nothing fits.")

    def _pending(self, _: str) -> None:
        facts = self.me.memory.pending()
        self.listed = [fact.id for fact in facts]
        for number, fact in enumerate(facts, 1):
            talk(f"{number:3}  {' '.join(fact.text.split())[:200]}")
        talk("/approve or /reject: numbers, or all." if facts else "Nothing waits.")

    def _chosen(self, words: str) -> list[str] | None:
        """Return the ids of the pending facts that are meant; None if that is not clear."""
        pending = [fact.id for fact in self.me.memory.pending()]
        if words.strip() == "all":
            return pending
        numbers = [int(word) for word in words.split() if word.isdecimal()]
        chosen = [self.listed[n - 1] for n in numbers if 0 < n <= len(self.listed)]
        whole = bool(chosen) and len(chosen) == len(words.split()) and set(chosen) <= set(pending)
        if not whole:
            talk("Say which: numbers of /pending, or all.")
        return chosen if whole else None

    def _approve(self, words: str) -> None:
        ids = self._chosen(words)
        if ids is None:
            return
        approved = self.me.memory.keep_pending(*ids)
        talk(f"Approved: {counted(len(approved), 'fact')}. /undo takes it back.")
        for kept in approved:
            for fact in kept.replaced:
                talk(f'"{kept.fact.text}" {replaced_line(fact)}')

    def _reject(self, words: str) -> None:
        ids = self._chosen(words)
        if ids is not None:
            rejected = counted(len(self.me.memory.reject(*ids)), "fact")
            talk(f"Rejected: {rejected}. /undo takes it back.")

    def _undo(self, _: str) -> None:
        done = self.me.memory.undo()
        talk(f"Taken back: {done}." if done else "There is nothing to take back.")

    def _why(self, _: str) -> None:
        if self.last is None:
            talk("Ask something first.")
            return
        for memory in self.last.used:
            place = PLACES[memory.place]
            talk(f"{memory.score:6.3f}  {place}: {' '.join(memory.shown.split())[:200]}")
        if not self.last.used:
            talk("The last answer was given no memories.")

    def _good(self, _: str) -> None:
        self.me.conversation.feedback("accept")
        talk("Noted: a good answer.")

    def _bad(self, _: str) -> None:
        self.me.conversation.feedback("reject")
        talk("Noted: a bad answer. /edit TEXT says what it should have been.")

    def _edit(self, text: str) -> None:
        answer = self.log[-1][1] if self.log else ""
        wanted = edited(answer, text, self.interactive)
        if wanted is None:
            talk("Nothing was changed.")
            return
        self.me.conversation.feedback("edit", wanted)
        talk("Noted: that is what you wanted instead.")

    def _temp(self, _: str) -> None:
        if self.me.profile is None:
            talk("This chat has no profile; it is temporary.")
            return
        self._begin_anew(memory="on" if self.me.conversation.is_temporary else "off")
        if self.prompt is not None and self.me.conversation.is_temporary:
            self.prompt.remember_from_here()
        elif self.prompt is not None:
            self.prompt.forget_since_then()
        talk(
            "Temporary chat: nothing is read from or written to your memory."
            if self.me.conversation.is_temporary
            else "Memory is on again; the temporary chat is gone."
        )

    def _adapter(self, words: str) -> None:
        if words == "off":
            self.me.adapters.choose([])
        elif words == "on":
            self.me.adapters.choose(None)
        elif words:
            self.me.adapters.choose([parse_adapter(word) for word in words.split()])
        names = [f"{use.name}:{use.scale:g}" for use in self.me.engine.active_adapters]
        talk(f"Adapters: {', '.join(names) or 'none'}.")

    def _system(self, text: str) -> None:
        self.me.conversation.system = text or None
        talk("System prompt set." if text else "System prompt cleared.")

    def _save(self, name: str) -> None:
        if not name:
            talk("Say where: /save FILE")
            return
        path = expanded(Path(name))
        if path.exists():
            talk(f"{path} exists already; choose another name.")
            return
        if not self.log:
            talk("Nothing was said yet.")
            return
        text = "".join(f"**{who}**: {said}\n\n" for who, said in self.log)
        write_atomic(path, text.encode())
        talk(f"Saved to {path}. That file is not encrypted.")

    def _new(self, _: str) -> None:
        self._begin_anew()
        talk("A new conversation.")

    def _begin_anew(self, memory: MemoryUse | None = None) -> None:
        """Leave nothing of this conversation to be saved, corrected or explained."""
        self.me.new_conversation(memory=memory or self.me.conversation.memory_use)
        self.log, self.last = [], None


def receipt_line(receipt: Receipt, *, temporary: bool) -> str:
    """Return the line after a turn: what was saved and which memories were used."""
    if temporary:
        return "(temporary: nothing read, nothing saved)"
    parts = [f"saved: {' '.join(fact.text.split())}" for fact in receipt.saved]
    parts += [replaced_line(fact) for fact in receipt.replaced]
    turn = [m for m in receipt.used if m.place != "prefix"]
    prefix = len(receipt.used) - len(turn)
    if turn:
        shown = "; ".join(_short(m.shown) for m in turn[:2])
        more = f" and {len(turn) - 2} more" if len(turn) > 2 else ""
        parts.append(f"used: {shown}{more}")
    if prefix:
        parts.append(f"{prefix} profile note{'s' * (prefix != 1)}")
    if receipt.dropped_exchanges:
        parts.append(f"{receipt.dropped_exchanges} oldest turns left the context")
    if receipt.forgotten_meanwhile:
        parts.append("stopped: a memory was forgotten elsewhere; ask again")
    return f"({' · '.join(parts) or 'no memories used, none saved'})"


def _short(text: str, limit: int = 60) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _history(me: Assistant) -> list[str]:
    """Return what the person said last, the oldest first; nothing in a temporary chat."""
    if me.profile is None or me.conversation.is_temporary:
        return []
    return [turn.text for turn in me.profile.turns.recent(role="user", limit=200)]
