"""`ondevice memory`: what is remembered."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from ondevice.cli.chat.session import (
    keep_scope_option,
    model_options,
    open_assistant,
    open_memory,
    open_profile,
    profile_option,
    scope_option,
)
from ondevice.cli.memory.forget import certificate_command, forget_command
from ondevice.cli.memory.reindex import reindex_command
from ondevice.cli.output import (
    counted,
    day,
    json_option,
    print_json,
    print_table,
    replaced_line,
    say,
    shows_progress,
    talk,
)
from ondevice.store.records import ANY_SCOPE, CATEGORIES, Fact, Turn, said_by

if TYPE_CHECKING:
    from ondevice.memory.search import Hit
    from ondevice.store.profile import Profile
    from ondevice.store.records import AnyRecord

MOST_SHOWN = 160  # characters of a text that says a statement


def tell_replaced(replaced: Sequence[Fact]) -> None:
    """Say which facts a new one has replaced, and how each comes back."""
    for fact in replaced:
        talk(f"It is kept {replaced_line(fact)}.")


category_option = click.option(
    "--category", type=click.Choice(CATEGORIES), help="[default: found by rules]"
)


@click.group("memory")
def command() -> None:
    """See, add, correct and forget what is remembered."""


@command.command("add")
@click.argument("text", nargs=-1, required=True)
@profile_option
@keep_scope_option
@category_option
@click.option("--pin", is_flag=True, help="Always show it to the model.")
@click.option("--no-learn", is_flag=True, help="Never train an adapter on it.")
@json_option
def add(
    text: tuple[str, ...],
    profile: str | None,
    scope: str | None,
    category: str | None,
    pin: bool,
    no_learn: bool,
    as_json: bool,
) -> None:
    """Remember a fact about you.

    It is kept as it is shown then. What it makes untrue, such as an earlier home,
    is replaced: not used any more, but kept; `ondevice memory restore` brings it back.
    """
    with open_memory(profile, scope) as memory:
        kept = memory.keep(" ".join(text), category=category, pinned=pin, learn=not no_learn)
        if as_json:
            print_json({**_fact_json(kept.fact), "replaced": _as_json(kept.replaced)})
            return
        talk(f'Remembered ({kept.fact.category}): "{kept.fact.text}"')
        tell_replaced(kept.replaced)
        click.echo(kept.fact.id)


@command.command("list")
@profile_option
@scope_option
@click.option(
    "--state", type=click.Choice(["active", "pending", "superseded"]), help="[default: all]"
)
@click.option("--pending", is_flag=True, help="Those that wait for your decision.")
@json_option
def list_(
    profile: str | None, scope: str | None, state: str | None, pending: bool, as_json: bool
) -> None:
    """List the facts of all contexts, or those that are used in one, newest last."""
    state = "pending" if pending else state
    with open_profile(profile) as store:
        facts = store.facts.all(state=state, scope=scope or ANY_SCOPE)
        if as_json:
            print_json([_fact_json(fact) for fact in facts])
            return
        print_table(
            ["id", "state", "category", "time", "text"],
            [(f.id, _state(f), f.category, day(f.time), f.text) for f in facts],
            "No fact waits for your decision."
            if state == "pending"
            else 'Nothing is remembered yet; try: ondevice memory add "I prefer short answers."',
        )


def _state(fact: Fact) -> str:
    marks = [fact.state, "pinned" * fact.pinned, fact.scope or "", "no-learn" * (not fact.learn)]
    return " ".join(mark for mark in marks if mark)


def _fact_json(fact: Fact) -> dict[str, Any]:
    return dataclasses.asdict(fact)


def _as_json(facts: Sequence[Fact]) -> list[dict[str, Any]]:
    return [_fact_json(fact) for fact in facts]


@command.command("search")
@click.argument("query", nargs=-1, required=True)
@click.option("-k", type=click.IntRange(1, 1000), default=10, show_default=True, help="How many.")
@profile_option
@scope_option
@json_option
def search(
    query: tuple[str, ...], k: int, profile: str | None, scope: str | None, as_json: bool
) -> None:
    """Find memories by meaning and by words, best first."""
    with open_memory(profile, scope) as memory:
        found = memory.search(" ".join(query), k=k)
        if as_json:
            print_json(
                [
                    {
                        "id": m.id,
                        "text": m.text,
                        "score": round(m.score, 4),
                        "source": m.source,
                        "time": m.time,
                    }
                    for m in found
                ]
            )
            return
        print_table(
            ["score", "id", "source", "time", "text"],
            [(f"{m.score:.3f}", m.id, m.source or "", day(m.time), _shown(m)) for m in found],
            "Nothing fits.",
        )


@command.command("show")
@click.argument("record_id", metavar="ID")
@profile_option
@json_option
def show(record_id: str, profile: str | None, as_json: bool) -> None:
    """Show one record whole; the start of an id is enough."""
    with open_profile(profile) as store:
        record = store.get(record_id)
        values = {"kind": type(record).__name__.lower(), **dataclasses.asdict(record)}
        if as_json:
            print_json(values)
            return
        for name, value in values.items():
            if value not in (None, (), "") and name != "origins":
                shown = day(value) if name in ("time", "valid_from", "valid_to") else value
                say(f"{name:>12}  {shown}")
        for origin in _origins(store, record):
            say(f"{'said in':>12}  {origin}")


def _origins(store: Profile, record: AnyRecord) -> Iterator[str]:
    """Yield where each text stands that says a statement, and what it says."""
    if not isinstance(record, Fact):
        return
    for text in store.records(record.origins).values():
        if text.id == record.id:
            yield "your own words"
            continue
        source = store.get(text.source_id) if text.source_id else None
        place = getattr(source, "name", "") or ("a chat" if isinstance(text, Turn) else "")
        yield f'{text.id}  {day(text.time)}  {place}: "{_shortened(text.text)}"'


def _shortened(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= MOST_SHOWN else f"{plain[:MOST_SHOWN]}…"


@command.command("edit")
@click.argument("record_id", metavar="ID")
@click.argument("text", nargs=-1)
@profile_option
@category_option
@click.option("--learn/--no-learn", default=None, help="May adapters be trained on it?")
@click.option("--context", "scope", metavar="NAME", help="Move it to this context; '' for none.")
@json_option
def edit(
    record_id: str,
    text: tuple[str, ...],
    profile: str | None,
    category: str | None,
    learn: bool | None,
    scope: str | None,
    as_json: bool,
) -> None:
    """Correct a fact, a text that you imported, or something that you said.

    Of a fact the text, category, context and learn flag can be changed. The new
    wording of a text is kept as you type it; the former one is neither found
    nor learned from any more, until `ondevice memory restore` brings it back.
    """
    changes: dict[str, Any] = {}
    if text:
        changes["text"] = " ".join(text)
    if category:
        changes["category"] = category
    if learn is not None:
        changes["learn"] = learn
    if scope is not None:
        changes["scope"] = scope or None
    if not changes:
        raise click.UsageError("Say what to change: a new TEXT, --category, --learn or --context.")
    with open_memory(profile) as memory:
        changed = memory.edit(record_id, **changes)
        if as_json:
            print_json(changed)
            return
        talk(f'Now: "{changed.text}"')
        if getattr(changed, "corrects", None) is not None:
            talk(
                f"It is {changed.id}; `ondevice memory restore {changed.id}` brings the former "
                "wording back.",
                dim=True,
            )


def _review_options(command: Any) -> Any:
    """Add the arguments of `approve` and `reject`."""
    for option in reversed(
        [
            click.argument("record_ids", metavar="[ID]...", nargs=-1),
            click.option("--all", "everything", is_flag=True, help="All pending facts."),
            click.option("--matching", metavar="WORDS", help="Only those that hold these words."),
            profile_option,
        ]
    ):
        command = option(command)
    return command


def _to_review(
    store: Profile, record_ids: tuple[str, ...], everything: bool, matching: str | None
) -> list[Fact]:
    """Return the pending facts that are meant.

    Raises:
        click.UsageError: none was named.
        RecordNotFoundError: an id is not a pending fact's; nothing was changed.
    """
    from ondevice.errors import RecordNotFoundError

    pending = store.facts.all(state="pending")
    if record_ids:
        whole = [store.get(record_id).id for record_id in record_ids]
        known = {fact.id: fact for fact in pending}
        if not set(whole) <= set(known):
            raise RecordNotFoundError(
                "One of these ids is not a pending fact's; see `ondevice memory list --pending`."
            )
        return [known[record_id] for record_id in whole]
    if not everything and matching is None:
        raise click.UsageError("Say which: an ID, --matching WORDS, or --all.")
    fitting = set(store.matching(words=matching)) if matching is not None else None
    return [fact for fact in pending if fitting is None or fact.id in fitting]


@command.command("approve")
@_review_options
def approve(
    record_ids: tuple[str, ...], everything: bool, matching: str | None, profile: str | None
) -> None:
    """Approve pending facts: from now on they are used."""
    with open_memory(profile) as memory:
        facts = _to_review(memory.profile, record_ids, everything, matching)
        for kept in memory.keep_pending(*(fact.id for fact in facts)):
            talk(f'Approved: "{kept.fact.text}"')
            tell_replaced(kept.replaced)
        if not facts:
            talk("No pending fact fits.")


@command.command("reject")
@_review_options
def reject(
    record_ids: tuple[str, ...], everything: bool, matching: str | None, profile: str | None
) -> None:
    """Reject pending facts: they are deleted."""
    with open_memory(profile) as memory:
        facts = _to_review(memory.profile, record_ids, everything, matching)
        memory.reject(*(fact.id for fact in facts))
        talk(f"Rejected: {counted(len(facts), 'fact')}." if facts else "No pending fact fits.")


@command.command("restore")
@click.argument("record_ids", metavar="ID...", nargs=-1, required=True)
@profile_option
def restore(record_ids: tuple[str, ...], profile: str | None) -> None:
    """Use a fact or a former wording again that a newer one has replaced.

    A newer fact stays; of a text one wording holds. ondevice memory list --state
    superseded shows the facts there are.
    """
    with open_memory(profile) as memory:
        for record_id in record_ids:
            talk(f'Used again: "{memory.restore(record_id).text}"')


@command.command("form")
@profile_option
@json_option
def form(profile: str | None, as_json: bool) -> None:
    """Remember what the texts that you imported state about you.

    Imports do it at their end. This is for what an earlier version imported, and for
    an import that was stopped; it goes on where it stopped. What is not certain waits
    for your approval: ondevice memory list --pending
    """
    from ondevice.cli.imports.importing import ImportProgress, formed_sentence

    with open_memory(profile) as memory:
        with ImportProgress(shows_progress()) as progress:
            report = memory.form(progress.formed)
        if as_json:
            print_json(report)
        elif report.texts:
            talk(f"Read {counted(report.texts, 'text')}.")
            talk(formed_sentence(report.facts, report.waiting))
        else:
            talk("All that you wrote has been read already.")


@command.command("propose")
@click.option("--turns", type=click.IntRange(1, 1000), default=10, show_default=True,
              help="How many of your last turns to read.")  # fmt: skip
@model_options
@json_option
def propose(turns: int, as_json: bool, **options: Any) -> None:
    """Let the model propose facts from your last turns.

    They wait as pending until you approve them: ondevice memory approve ID
    """
    if options["temporary"]:
        raise click.UsageError("Your turns are read and notes are kept; leave out --temporary.")
    with open_assistant(options) as me:
        assert me.profile is not None
        read = [turn.text for turn in me.profile.turns.recent(role="user", limit=turns)]
        found = [fact for text in read for fact in me.propose(text)]
        if as_json:
            print_json([_fact_json(fact) for fact in found])
            return
        print_table(
            ["id", "category", "text"],
            [(fact.id, fact.category, fact.text) for fact in found],
            "The model found nothing new." if read else "There are no turns yet.",
        )


@command.command("pin")
@click.argument("record_id", metavar="ID")
@click.option("--off", is_flag=True, help="Unpin it.")
@profile_option
def pin(record_id: str, off: bool, profile: str | None) -> None:
    """Always show a fact to the model."""
    with open_memory(profile) as memory:
        fact = memory.pin(record_id, not off)
        talk(f"{'Unpinned' if off else 'Pinned'}: {fact.text}")


command.add_command(forget_command)
command.add_command(certificate_command)
command.add_command(reindex_command)


@command.command("why")
@click.argument("turn_id", metavar="[TURN_ID]", required=False)
@click.option("--query", metavar="TEXT", help="Explain what this question would recall, and why.")
@profile_option
@scope_option
@json_option
def why(
    turn_id: str | None,
    query: str | None,
    profile: str | None,
    scope: str | None,
    as_json: bool,
) -> None:
    """Show which memories an answer was given: the last one, or that of TURN_ID."""
    if query is not None:
        with open_memory(profile, scope) as memory:
            _explain(memory.search(query), as_json)
        return
    with open_profile(profile) as store:
        turn = store.get(turn_id) if turn_id else store.turns.last_answer()
        if turn is None:
            talk("There is no answer yet; ask something first.")
            if as_json:
                print_json({"answer": None, "memories": []})
            return
        ids = getattr(turn, "memories_used", None)
        if ids is None:
            raise click.UsageError("That id is not an answer's; see `ondevice memory show ID`.")
        used = [(record_id, store.get(record_id)) for record_id in ids]
        if as_json:
            rows = [
                {"id": record_id, "text": _text_of(one), "speaker": _speaker_of(one)}
                for record_id, one in used
            ]
            print_json({"answer": turn.id, "memories": rows})
            return
        texts = [(record_id, said_by(_speaker_of(one), _text_of(one))) for record_id, one in used]
        print_table(["id", "text"], texts, "That answer was given no memories.")


def _text_of(record: object) -> str:
    return str(getattr(record, "text", None) or getattr(record, "name", ""))


def _speaker_of(record: object) -> str | None:
    return getattr(record, "speaker", None) or getattr(record, "role", None)


def _shown(memory: Hit) -> str:
    return said_by(memory.speaker or memory.role, memory.text)


def _explain(found: Sequence[Hit], as_json: bool) -> None:
    if as_json:
        print_json(
            [
                {
                    "id": m.id,
                    "text": m.text,
                    "score": m.score,
                    "speaker": m.speaker or m.role,
                    "reason": m.reason,
                }
                for m in found
            ]
        )
        return
    print_table(
        ["score", "why", "id", "text"],
        [
            (
                f"{m.score:.3f}",
                " ".join(
                    f"{key}={value:.2f}" if isinstance(value, float) else f"{key}={value}"
                    for key, value in m.reason.items()
                ),
                m.id,
                _shown(m),
            )
            for m in found
        ],
        "Nothing fits.",
    )
