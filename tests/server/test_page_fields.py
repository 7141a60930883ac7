"""Every field that the page's scripts read of an answer, or send, stands in the OpenAPI document.

A name that a script reads must be a field of an answer of the paths that it, or a script that
imports it, calls; or a member that our own scripts give to their objects; or one of the browser's.
So a field that is gone is not missed where the same script also gives that name to an object of
its own. What is sent is checked where it stands behind its path; the tests of the page itself see
the rest, because the server refuses fields that it does not know.
"""

import copy
import re

import pytest

from ondevice.server.app import STATIC
from ondevice.server.openapi import document

from .javascript import read_script

BROWSER = {
    "aborted",
    "activeElement",
    "bottom",
    "childElementCount",
    "classList",
    "clientHeight",
    "clientX",
    "clientY",
    "clipboard",
    "ctrlKey",
    "dataTransfer",
    "dataset",
    "index",
    "isComposing",
    "isConnected",
    "isFile",
    "items",
    "key",
    "left",
    "length",
    "loaded",
    "matches",
    "metaKey",
    "ok",
    "open",
    "right",
    "scrollHeight",
    "shiftKey",
    "signal",
    "size",
    "style",
    "target",
    "top",
    "upload",
    "webkitGetAsEntry",
    "webkitRelativePath",
}
VIEW = {"view", "create", "leave"}  # what main.js asks of a view, and a link's data
SCRIPTS = {path.name: read_script(path.read_text()) for path in sorted(STATIC.glob("*.js"))}


def properties(schema, described, seen=frozenset()):
    """Return the names of all fields in a schema and below it."""
    if isinstance(schema, list):
        return set().union(*(properties(part, described, seen) for part in schema))
    if not isinstance(schema, dict):
        return set()
    found = set(schema.get("properties", ()))
    name = schema.get("$ref", "").rpartition("/")[2]
    if name and name not in seen:
        found |= properties(described["components"]["schemas"][name], described, seen | {name})
    return found.union(*(properties(part, described, seen) for part in schema.values()))


def operations(path, described):
    """Return the operations at a path of a script, in which * stands for anything."""
    pattern = re.compile(re.escape(path).replace(r"\*", "[^/]+"))
    return [
        operation
        for template, methods in described["paths"].items()
        if pattern.fullmatch(template)
        for operation in methods.values()
    ]


def users_of(name):
    """Return a script and all that import it, directly or not."""
    found, waiting = set(), {name}
    while waiting:
        found |= waiting
        waiting = {one for one, script in SCRIPTS.items() if script.imports & waiting} - found
    return found


def answered(name, described):
    """Return the fields of all answers that may come to a script."""
    paths = set().union(*(SCRIPTS[one].paths for one in users_of(name)))
    responses = [o["responses"] for path in paths for o in operations(path, described)]
    return properties(responses, described)


def made(name):
    """Return the members that a script, and those around it, give to objects."""
    around = users_of(name) | SCRIPTS[name].imports | SCRIPTS[name].loads
    return set().union(*(SCRIPTS[one].makes for one in around))


def unknown_reads(described):
    """Return (script, name) of what is read and is nowhere described."""
    return {
        (name, read)
        for name, script in SCRIPTS.items()
        for read in script.reads - BROWSER - VIEW - answered(name, described) - made(name)
    }


def unknown_sends(described):
    """Return (path, name) of what is sent and is nowhere described."""
    found = set()
    for script in SCRIPTS.values():
        for path, key in script.sends:
            known = set()
            for operation in operations(path, described):
                known |= {one["name"] for one in operation.get("parameters", ())}
                known |= properties(operation.get("requestBody", {}), described)
            found |= {(path, key)} - {(path, one) for one in known}
    return found


def test_the_scripts_read_and_send_what_is_described():
    described = document()
    for script in SCRIPTS.values():
        assert all(operations(path, described) for path in script.paths), script.paths
    assert unknown_reads(described) == set()
    assert unknown_sends(described) == set()


def without(field):
    """Return the document without a field, wherever it stands."""
    described = copy.deepcopy(document())
    for schema in described["components"]["schemas"].values():
        schema.get("properties", {}).pop(field, None)
    for methods in described["paths"].values():
        for operation in methods.values():
            given = operation.get("parameters", ())
            operation["parameters"] = [one for one in given if one["name"] != field]
    return described


@pytest.mark.parametrize(
    ("script", "field"),
    [
        ("adapters.js", "n_records"),
        ("adapters.js", "base_sha256"),
        ("chat.js", "exchanges"),
        ("charts.js", "before"),
        ("import_preview.js", "dates_unclear"),
        ("importing.js", "unchanged"),
        ("keys.js", "keyring_here"),
        ("learn.js", "held_out_loss"),
        ("list.js", "memories"),
        ("message.js", "forgotten_meanwhile"),
        ("privacy.js", "forgotten"),
        ("report.js", "outcome"),
        ("settings.js", "at_start"),
    ],
)
def test_a_field_that_is_gone_is_missed(script, field):
    assert (script, field) in unknown_reads(without(field))


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/chat/new", "temporary"),
        ("/api/feedback", "turn_id"),
        ("/api/learn", "from_scratch"),
        ("/api/memories", "offset"),
        ("/api/memories/*", "pinned"),
        ("/api/memories", "source"),
        ("/api/privacy/wipe", "confirm"),
    ],
)
def test_a_field_that_is_not_taken_any_more_is_missed(path, field):
    assert (path, field) in unknown_sends(without(field))


def test_a_script_is_understood():
    script = read_script(
        'import { get } from "./api.js"; // found.comment\n'
        "const { one, two: [three] } = await get(`/api/x/${of(thing.id)}/y`, { sent, ...more });\n"
        "function show({ four }, rest) { rest.five = { six: rest.seven / 2 }; }\n"
        'list.map(([n, { eight }]) => ({ nine: n.ten() + "a.b" + /[.]c/.source }));'
    )
    assert script.reads == {"id", "one", "two", "four", "seven", "eight", "source"}
    assert script.makes == {"sent", "five", "six", "nine"}
    assert script.sends == {("/api/x/*/y", "sent")}
    assert script.paths == {"/api/x/*/y"} and script.imports == {"api.js"}
