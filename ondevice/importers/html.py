"""The text of HTML mail, without quotes.

The standard library's parser needs time that grows with the square of the length on hostile
input, so tags are found here by an expression that looks at each character once.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)[^<>]*>|<[!?][^<>]*>")
_UNSEEN = ("style", "script", "head", "blockquote")
_BREAKS_BEFORE = ("br", "p", "div", "li", "tr")
_BREAKS_AFTER = ("p", "div")
_SPACE = re.compile(r"\s+")


def text_of_html(source: str) -> str:
    """Return what a reader sees, without what stands in a `blockquote`; tags need not be closed."""
    return "".join(_parts(_without_comments(source)))


def _parts(source: str) -> Iterator[str]:
    unseen: list[str] = []
    at = 0
    for tag in _TAG.finditer(source):
        if not unseen:
            yield _SPACE.sub(" ", html.unescape(source[at : tag.start()]))
        at = tag.end()
        name = (tag[2] or "").lower()
        if not tag[1]:
            if name in _UNSEEN:
                unseen.append(name)
            elif name in _BREAKS_BEFORE and not unseen:
                yield "\n"
        elif unseen:
            if name == unseen[-1]:
                unseen.pop()
        elif name in _BREAKS_AFTER:
            yield "\n"
    if not unseen:
        yield _SPACE.sub(" ", html.unescape(source[at:]))


def _without_comments(source: str) -> str:
    kept: list[str] = []
    at = 0
    while (start := source.find("<!--", at)) >= 0:
        kept.append(source[at:start])
        end = source.find("-->", start + 4)
        at = end + 3 if end >= 0 else len(source)
    kept.append(source[at:])
    return "".join(kept)
