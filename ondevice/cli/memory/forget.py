"""`ondevice memory forget` and `certificate`: what goes, that it is gone, and the proof."""

from __future__ import annotations

import datetime
import json
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ondevice.cli.chat.session import open_profile, profile_option
from ondevice.cli.output import confirm, counted, day, json_option, print_json, talk
from ondevice.cli.paths import UserPath
from ondevice.errors import ProfileError, explain

if TYPE_CHECKING:
    from ondevice.store.forget import Forgotten
    from ondevice.store.profile import Profile
    from ondevice.store.records import ForgetPreview

SHOWN = 40  # lines of a long preview
_DAY = 86_400.0
_UNITS = {"h": 3600.0, "d": _DAY, "w": 7 * _DAY}


def parse_since(text: str) -> float:
    """Turn `2026-11-01`, a date with a time, or `12h`, `7d`, `2w` ago into seconds since 1970.

    Raises:
        click.BadParameter: it is neither.
    """
    ago = re.fullmatch(r"(\d+)([hdw])", text.strip().lower())
    if ago:
        return time.time() - int(ago[1]) * _UNITS[ago[2]]
    try:
        return datetime.datetime.fromisoformat(text.strip()).timestamp()  # local time
    except ValueError as error:
        raise click.BadParameter(
            f"'{text}' is not a time; write for example 2026-11-01, 2026-11-01T18:30 or 7d."
        ) from error


@click.command("forget")
@click.argument("record_ids", metavar="[ID]...", nargs=-1)
@click.option("--source", metavar="NAME|ID", help="Everything from this import or conversation.")
@click.option("--matching", metavar="WORDS", help="Everything that holds all these words.")
@click.option("--since", type=parse_since, metavar="DATE|7d", help="Everything since then.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--keep-turns", is_flag=True, help="Keep the turns that say the same.")
@click.option("--keep-stale", is_flag=True, help="Keep the files of adapters that go stale.")
@click.option("--retrain", is_flag=True, help="Learn again at once, from scratch, without it.")
@click.option(
    "--certificate",
    "certificate_path",
    type=UserPath(),
    help="Where to write the certificate. [default: in the profile's folder]",
)
@click.option("--openings", type=UserPath(),
              help="Write what opens the certificate's hashes; keep it secret.")  # fmt: skip
@profile_option
@json_option
def forget_command(**options: Any) -> int:
    """Forget records for good, and the adapters that learned them.

    Several conditions must all hold; ids come on top. The text, its index entries
    and its vector are purged from the database, and so are the turn that a fact
    was taken from and the answers that repeat it. Adapters trained on any of it
    are never used again and their files are shredded. First you are shown what
    will go.
    """

    for name in ("certificate_path", "openings"):
        if options[name] is not None and options[name].exists():
            raise click.UsageError(f"{options[name]} exists already; choose another name.")
    with open_profile(options["profile"]) as store:
        ids = _chosen(store, options)
        if not ids:
            talk("Nothing fits; nothing was forgotten.")
            if options["as_json"]:
                print_json({"records": [], "purged": True, "adapters_stale": [], "shredded": [],
                            "certificate": None})  # fmt: skip
            return 0
        shown = store.preview_forget(ids, keep_turns=options["keep_turns"])
        if not options["as_json"]:
            _talk_of(shown)
        confirm("Forget this for good?", yes=options["yes"])
        done = store.forget_shown(shown, keep_stale=options["keep_stale"])
        try:
            path = _write(store, done, options)
        except OSError as error:
            raise ProfileError(
                f"{counted(len(done.report.records), 'record')} forgotten, but the certificate "
                f"cannot be written: {error.filename or 'the file'}: {explain(error)}."
            ) from error
        if options["as_json"]:
            values = {"records": done.report.records, "purged": done.report.purged,
                      "adapters_stale": done.report.adapters_stale, "shredded": done.shredded,
                      "certificate": str(path)}  # fmt: skip
            print_json(values)
        else:
            _talk_of_done(done, path)
    if options["retrain"]:
        return _retrain(options)
    return 0


def _chosen(store: Profile, options: dict[str, Any]) -> list[str]:
    ids = list(options["record_ids"])
    conditions = {
        "source": options["source"],
        "words": options["matching"],
        "since": options["since"],
    }
    if any(value is not None for value in conditions.values()):
        if options["matching"] is not None and not re.search(r"\w", options["matching"]):
            raise click.UsageError("--matching needs a word; write the one to look for.")
        ids += store.matching(**conditions)
    elif not ids:
        raise click.UsageError("Say what to forget: an ID, --source, --matching or --since.")
    return ids


def _talk_of(preview: ForgetPreview) -> None:
    """Say what will go, and what stays although it may say the same."""
    from ondevice.cli.memory.preview import preview_lines

    lines = preview_lines(preview)
    for line in lines[:SHOWN]:
        talk(line)
    if len(lines) > SHOWN:
        talk(f"… and {len(lines) - SHOWN} more.")
    talk(
        "Backups of the folder, made by you or a program, still hold it, encrypted.",
        dim=True,
    )


def _write(store: Profile, done: Forgotten, options: dict[str, Any]) -> Path:
    from ondevice.ground.files import write_atomic

    path: Path | None = options["certificate_path"]
    if path is None:
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(done.certificate.content["time"]))
        mark = done.certificate.content["signature"][:6].translate({43: "_", 47: "-"})
        path = store.folder / "certificates" / f"forgotten-{stamp}-{mark}.json"
    write_atomic(path, done.certificate.json().encode())
    if options["openings"] is not None:
        write_atomic(options["openings"], done.certificate.openings_json().encode())
    return path


def _talk_of_done(done: Forgotten, path: Path) -> None:
    talk(f"Forgotten: {counted(len(done.report.records), 'record')}.")
    if done.report.adapters_stale:
        talk(f"Stale, and never used again: {', '.join(done.report.adapters_stale)}.")
    if done.shredded:
        talk(f"Shredded: {', '.join(done.shredded)}. `ondevice learn` trains without it.")
    if not done.report.purged:
        talk("Another program is reading; the last traces go when it stops.", dim=True)
    talk(f"Certificate: {path}", dim=True)


def _retrain(options: dict[str, Any]) -> int:
    from ondevice.cli.learn.commands import command as learn

    arguments = ["--scratch", *(["--profile", options["profile"]] if options["profile"] else [])]
    code = learn.main(arguments, prog_name="ondevice learn", standalone_mode=False)
    return code if isinstance(code, int) else 0


@click.command("certificate")
@click.argument("file", type=UserPath())
@click.option("--openings", type=UserPath(), help="The secret file of openings.")
@click.option("--text", help="Was this text among what was removed? Needs --openings.")
@profile_option
@json_option
def certificate_command(
    file: Path, openings: Path | None, text: str | None, profile: str | None, as_json: bool
) -> int:
    """Verify a certificate of forgetting: its signature, its profile, and its adapters."""
    from ondevice.store import certificate

    if (text is None) != (openings is None):
        raise click.UsageError("--text and --openings go together.")
    content = _json_of(file)
    if not isinstance(content, dict):
        raise ProfileError(f"{file} is not a certificate of forgetting; give one.")
    with open_profile(profile) as store:
        certificate.verify(content, store.certificate_key())
        present = {row.file_sha256: row for row in store.adapters.all() if row.state != "stale"}
    back = [one["sha256"] for one in content["adapters"] if one["sha256"] in present]
    held = None
    if text is not None and openings is not None:
        try:
            held = certificate.holds(content, _json_of(openings), text)
        except (KeyError, TypeError, ValueError) as error:
            raise ProfileError(
                f"{openings} holds no openings of a certificate; give the file of --openings."
            ) from error
    if as_json:
        print_json({"valid": True, "removed": len(content["removed"]),
                    "usable_adapters": back, "holds_text": held})  # fmt: skip
    else:
        when = day(content["time"])
        talk(f"The certificate is whole and was made by this profile on {when}.")
        items = counted(len(content["removed"]), "item")
        talk(f"{items} removed, {counted(len(content['adapters']), 'adapter')}.")
        if back:
            talk(f"But {len(back)} of these adapters can be used again: they were added again.")
        if held is not None:
            talk(f"That text was {'' if held else 'not '}among what was removed.")
    return 1 if back or held is False else 0


def _json_of(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ProfileError(f"{path} cannot be read: {explain(error)}.") from error
    except (ValueError, RecursionError) as error:
        raise ProfileError(
            f"{path} cannot be read as JSON; give the file that was written then."
        ) from error
