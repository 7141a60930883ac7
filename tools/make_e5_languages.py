"""Find what multilingual-e5-small says of a text's language, so that it can be taken out.

The vectors of the model tell languages apart: a question is nearer to whatever is in its own
language than to what answers it in another. `data/same_in_ten_languages.txt` has sentences, written
for this, each in ten languages. What their vectors have in common is the middle of all; how the
middles of the languages lie around it are the directions in which a vector tells the language.
`e5.py` subtracts the first and removes the others. Writes `memory/data/e5-small.languages`: the
middle of passages, that of questions, and the directions, float32; prints its SHA-256.

    python tools/make_e5_languages.py
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from ondevice.home import Home
from ondevice.memory.embedders.e5 import DIRECTIONS, E5, PASSAGE, QUERY

HERE = Path(__file__).parent
TARGET = HERE.parent / "ondevice" / "memory" / "data" / "e5-small.languages"


def sentences() -> list[dict[str, str]]:
    """Return each sentence by its languages."""
    blocks = (HERE / "data" / "same_in_ten_languages.txt").read_text("utf-8").strip().split("\n\n")
    read = [dict(line.split(" ", 1) for line in block.splitlines()) for block in blocks]
    for one in read:
        assert one.keys() == read[0].keys(), one
    return read


def main() -> None:
    """Fit and write."""
    embedder, rows = E5(Home.default()), sentences()
    middles, ways = [], []
    for prefix in (PASSAGE, QUERY):
        by_language = np.stack(
            [
                embedder.raw_vectors(prefix, [row[language] for row in rows]).mean(axis=0)
                for language in rows[0]
            ]
        )
        middle = by_language.mean(axis=0)
        middles.append(middle)
        ways.append(by_language - middle)
    _, _, directions = np.linalg.svd(np.concatenate(ways), full_matrices=False)
    content = np.stack([*middles, *directions[:DIRECTIONS]]).astype("<f4").tobytes()
    TARGET.write_bytes(content)
    print(f"LANGUAGES_SHA256 = {hashlib.sha256(content).hexdigest()} ({len(content)} bytes)")


if __name__ == "__main__":
    main()
