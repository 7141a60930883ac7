"""Makes the weights that are shipped: of each small classifier, for each known embedder.

    PYTHONPATH=. python tools/learn_classifiers.py

The same sentences and embedders give the same bytes. Run it when either has changed.
"""

from __future__ import annotations

from ondevice.home import Home
from ondevice.memory.embedders.choose import ENGLISH, MULTILINGUAL, open_embedder
from ondevice.memory.learned import file_of, shipped_file, stamp_of
from ondevice.memory.relevance import training as relevance

CLASSIFIERS = ((relevance.NAME, relevance.VERSION, relevance.learn),)


def main() -> None:
    """Write the files."""
    for embedder_name in (MULTILINGUAL, ENGLISH):
        embedder = open_embedder(embedder_name, Home.default())
        for name, version, learn in CLASSIFIERS:
            path = shipped_file(name, embedder.sha256)
            path.parent.mkdir(exist_ok=True)
            stamp = stamp_of(name, version, embedder.sha256)
            path.write_bytes(file_of(learn(embedder), stamp))
            print(path.name, path.stat().st_size)


if __name__ == "__main__":
    main()
