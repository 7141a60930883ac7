"""What the page's scripts read and send, found in their text (no script is run).

Enough of JavaScript is understood for this: strings, comments, brackets, and which braces take
values apart (`const { a, b } = …`, parameters) and which make an object.
"""

import re
from dataclasses import dataclass, field

TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)
    |(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    |(?P<name>[A-Za-z_$][\w$]*)
    |(?P<number>\d[\w.]*)
    |(?P<sign>\.\.\.|=>|[=!]==?|\?\.|[^\s\w])""",
    re.VERBOSE | re.DOTALL,
)
# A slash behind these begins a regular expression; behind a value it divides.
BEFORE_REGEX = {*"(,=:[!&|?{};", "=>", "return", "==", "===", "!==", ""}


@dataclass
class Script:
    """One file: the names that it reads of objects, those it gives to objects, and what it sends.

    Attributes:
        reads: names behind a dot (no calls, no assignments), and those that are taken apart.
        makes: keys of objects that it makes, and members that it sets.
        sends: (path, key) of objects that stand behind a path of the API.
        paths: of the API; what is put in stands as "*".
        imports: scripts.
        loads: scripts that are imported when they are needed.
    """

    reads: set[str] = field(default_factory=set)
    makes: set[str] = field(default_factory=set)
    sends: set[tuple[str, str]] = field(default_factory=set)
    paths: set[str] = field(default_factory=set)
    imports: set[str] = field(default_factory=set)
    loads: set[str] = field(default_factory=set)


def tokens_of(text: str) -> list[str]:
    """Return the tokens; a template becomes its expressions and then a string with "*"."""
    found: list[str] = []
    at = 0
    while at < len(text):
        if text[at] == "`":
            end, words, inner = _template(text, at + 1)
            found += [*inner, '"' + words + '"']
            at = end
            continue
        if text[at] == "/" and text[at + 1] not in "/*" and (found or [""])[-1] in BEFORE_REGEX:
            literal = re.compile(r"/(?:\[(?:\\.|[^\]\\])*\]|\\.|[^/\\\[\n])+/[a-z]*").match(
                text, at
            )
            found.append('""')
            at = literal.end()
            continue
        match = TOKEN.match(text, at)
        if match is None:
            at += 1
        else:
            found += [match.group()] if match.lastgroup != "comment" else []
            at = match.end()
    return found


def _template(text: str, at: int) -> tuple[int, str, list[str]]:
    """Return the end of a template literal, its words, and the tokens of its expressions."""
    words, inner = "", []
    while text[at] != "`":
        if text[at] == "\\":
            at += 2
        elif text.startswith("${", at):
            depth, begin, at = 1, at + 2, at + 2
            while depth:
                if text[at] == "`":
                    at = _template(text, at + 1)[0]
                    continue
                depth += {"{": 1, "}": -1}.get(text[at], 0)
                at += 1
            inner += [";", *tokens_of(text[begin : at - 1]), ";"]
            words += "*"
        else:
            words += text[at]
            at += 1
    return at + 1, words, inner


def read_script(text: str) -> Script:
    """Return what a script reads and sends."""
    tokens = ["", "", *tokens_of(text), "", ""]
    script = Script()
    closing, parent = _brackets(tokens)
    producers = {}  # functions that return an object, and its keys
    for at, token in enumerate(tokens):
        before, after = tokens[at - 1] if at else "", tokens[at + 1] if at + 1 < len(tokens) else ""
        if token.startswith('"/api/'):
            script.paths.add(token.strip('"'))
        elif token.startswith('"./') and before in ("from", "import"):
            script.imports.add(token.strip('"')[2:])
        elif token.startswith('"./') and tokens[at - 2 : at] == ["import", "("]:
            script.loads.add(token.strip('"')[2:])
        elif re.fullmatch(r"[A-Za-z_$][\w$]*", token) and before in (".", "?."):
            if after == "=":
                script.makes.add(token)
            elif after != "(":
                script.reads.add(token)
        elif token == "{" and before not in ("import", "export"):
            keys = _keys(tokens, at, closing[at])
            target = script.reads if _takes_apart(tokens, at, closing, parent) else script.makes
            target |= keys
            if before == "return" and tokens[at - 4 : at - 1] == ["(", ")", "{"]:
                producers[tokens[at - 5]] = keys
            if before == "," and tokens[at - 2].startswith('"/api/'):
                script.sends |= {(tokens[at - 2].strip('"'), key) for key in keys}
    for at, token in enumerate(tokens):
        made = producers.get(token)
        for back in (2, 4):  # behind a path, as itself or spread in an object
            if made and tokens[at - back].startswith('"/api/'):
                script.sends |= {(tokens[at - back].strip('"'), key) for key in made}
    return script


def _brackets(tokens: list[str]) -> tuple[dict[int, int], dict[int, int]]:
    """Return where each bracket closes, and in which one it stands."""
    closing, parent, open_ = {}, {}, []
    for at, token in enumerate(tokens):
        if token in ("(", "[", "{"):
            parent[at] = open_[-1] if open_ else -1
            open_.append(at)
        elif token in (")", "]", "}"):
            closing[open_.pop()] = at
    assert not open_, "a bracket is not closed: the script was not understood"
    return closing, parent


def _takes_apart(tokens, at, closing, parent) -> bool:
    while at != -1:
        before, after = tokens[at - 1], tokens[closing[at] + 1]
        if before in ("const", "let") or after == "=":
            return True
        if tokens[at] == "(":
            named = tokens[at - 2] == "function" or before == "function"
            return after == "=>" or named
        if tokens[at] == "{" and before not in ("[", ",", "(", ":", "{"):
            return False
        at = parent[at]
    return False


def _keys(tokens: list[str], begin: int, end: int) -> set[str]:
    found, depth = set(), 0
    for at in range(begin + 1, end):
        token = tokens[at]
        depth += (token in ("(", "[", "{")) - (token in (")", "]", "}"))
        if not depth and tokens[at - 1] in ("{", ",") and tokens[at + 1] in (":", ",", "}", "="):
            found.add(token.strip('"'))
    return {key for key in found if re.fullmatch(r"[A-Za-z_$][\w$]*", key)}
