"""Texts that say almost the same: what is repeated is recited, so each is learned once.

Two texts are near-duplicates if their sets of three consecutive words overlap by
a Jaccard index of `SIMILAR` or more. Texts are taken in the order of their
hashes and compared with those kept before, so that what is kept depends on the
contents alone. A text that was left out keeps no other out: without it the
outcome is the same.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from ondevice.evaluation.split import content_hash, words_of

SIMILAR = 0.6
SHINGLE = 3  # words


def distinct(
    texts: Mapping[str, str], rank: Mapping[str, str] | None = None
) -> dict[str, tuple[str, ...]]:
    """Return the keys whose texts are kept, each with the keys of the same words, itself too.

    Args:
        texts: key (such as a record's id) -> text.
        rank: key -> what decides, by content, which of several equal texts stands for them.
    """
    rank = rank or {}
    same: dict[str, list[str]] = defaultdict(list)
    for key, text in texts.items():
        same[content_hash(text)].append(key)
    kept: dict[str, tuple[str, ...]] = {}
    sizes: list[int] = []
    holders: dict[tuple[str, ...], list[int]] = defaultdict(list)  # shingle -> numbers of kept
    for digest in sorted(same):
        # Of equal words the first in spelling stands for all: ids decide nothing.
        keys = sorted(same[digest], key=lambda key: (texts[key], rank.get(key, ""), key))
        shingles = _shingles(texts[keys[0]])
        shared = Counter(number for shingle in shingles for number in holders[shingle])
        if any(n >= SIMILAR * (len(shingles) + sizes[i] - n) for i, n in shared.items()):
            continue
        for shingle in shingles:
            holders[shingle].append(len(sizes))
        sizes.append(len(shingles))
        kept[keys[0]] = tuple(keys)
    return kept


def _shingles(text: str) -> frozenset[tuple[str, ...]]:
    words = words_of(text)
    if len(words) < SHINGLE:
        return frozenset([tuple(words)])
    return frozenset(tuple(words[i : i + SHINGLE]) for i in range(len(words) - SHINGLE + 1))
