"""Grammars of JSON strings: of any characters, so and so many, or of one of the formats."""

from __future__ import annotations

CHARACTER = r'[^"\\\x00-\x1F\x7F\uD800-\uDFFF] | "\\" ["\\/bfnrt] | "\\u00" [01] [0-9a-fA-F]'
_DAY = (
    '("0" [13578] | "1" [02]) "-" ("0" [1-9] | [12] [0-9] | "3" [01])'
    ' | ("0" [469] | "11") "-" ("0" [1-9] | [12] [0-9] | "30")'
    ' | "02-" ("0" [1-9] | "1" [0-9] | "2" [0-8])'
)
_TIME = (
    '([01] [0-9] | "2" [0-3]) ":" [0-5] [0-9] ":" [0-5] [0-9] ("." [0-9]{1,6})?'
    ' ("Z" | [+-] ([01] [0-9] | "2" [0-3]) ":" [0-5] [0-9])'
)
_BYTE = '([0-9] | [1-9] [0-9] | "1" [0-9] [0-9] | "2" [0-4] [0-9] | "25" [0-5])'
_LABEL = "[a-z0-9] ([a-z0-9-]{0,30} [a-z0-9])?"
FORMATS = {
    "date": f'[12] [0-9]{{3}} "-" ({_DAY})',
    "time": _TIME,
    "date-time": f'[12] [0-9]{{3}} "-" ({_DAY}) "T" {_TIME}',
    "uuid": '[0-9a-f]{8} "-" [0-9a-f]{4} "-" [1-8] [0-9a-f]{3} "-" [89ab] [0-9a-f]{3} "-" '
    "[0-9a-f]{12}",
    "ipv4": f'{_BYTE} "." {_BYTE} "." {_BYTE} "." {_BYTE}',
    "email": f'[a-zA-Z0-9] ([a-zA-Z0-9._+-]{{0,40}} [a-zA-Z0-9])? "@" '
    f'{_LABEL} ("." {_LABEL}){{1,4}}',
}


def of_format(name: object) -> str:
    """Return an expression for the strings of a format.

    Raises:
        ValueError: there is no such format; says which there are.
    """
    if not isinstance(name, str) or name not in FORMATS:
        raise ValueError(f"the format may be {', '.join(FORMATS)}")
    return f'"\\"" {FORMATS[name]} "\\""'


def of_length(character: str, least: int, most: int | None) -> str:
    """Return an expression for strings of `least` to `most` (None: any number of) characters.

    Args:
        character: the name of a rule that says `CHARACTER`.
        least: 0 or more.
        most: not below `least`.
    """
    count = "*" if not least and most is None else f"{{{least},{'' if most is None else most}}}"
    return f'"\\"" {character}{count} "\\""'
