"""The weights that tell statements from other sentences, for the embedders that ship.

python tools/statement_weights.py            writes ondevice/memory/data/statements-*.npz

They are learned from ondevice/memory/data/statements*.jsonl alone; run it again when that file, the
features or an embedder has changed.
"""

from __future__ import annotations

import sys

from ondevice.home import Home
from ondevice.memory.embedders.choose import open_embedder
from ondevice.memory.forming.classifier import shipped_path, weights_file
from ondevice.memory.forming.training import learn


def main(names: list[str]) -> None:
    """Write the weights for the embedders called `names`."""
    for name in names:
        embedder = open_embedder(name, Home.default())
        weights = learn(embedder)
        path = shipped_path(embedder.sha256)
        path.write_bytes(weights_file(weights))
        print(f"{path}: {name}, sure {weights.sure:.3f}, unsure {weights.unsure:.3f}")


if __name__ == "__main__":
    main(sys.argv[1:] or ["multilingual", "minilm"])
