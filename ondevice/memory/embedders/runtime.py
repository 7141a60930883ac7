"""What the embedders share of ONNX Runtime: sessions, and batches over all cores."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ondevice.errors import RecallError
from ondevice.ground.processor import physical_cores
from ondevice.ground.system_memory import return_freed_memory

if TYPE_CHECKING:
    import numpy as np

# A batch holds texts of similar length, so that little of it is padding. So many token positions
# keep the activations in the cache: eight times as many take a seventh longer, and 115 MB more
# for each thread.
BATCH_TOKENS = 256
_BATCH_TEXTS = 32
_DATA_FOLDER = "session.model_external_initializers_file_folder_path"


def open_session(model: Path | bytes, folder: Path | None = None) -> Any:
    """Open an ONNX Runtime session that logs nothing, writes nothing and sends nothing.

    Args:
        model: the file of the graph, or its content.
        folder: where the files are that a graph given as content names.

    Raises:
        RecallError: it cannot be loaded.
    """
    # Before the import: ONNX Runtime decides then whether it reports to its makers.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # kept for each shape of a batch: 115 MB for nothing
    options.log_severity_level = 3  # errors only
    if folder is not None:
        options.add_session_config_entry(_DATA_FOLDER, str(folder))
    name = "The embedding model" if isinstance(model, bytes) else str(model)
    source = model if isinstance(model, bytes) else str(model)
    try:
        session = onnxruntime.InferenceSession(
            source, sess_options=options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # its exception classes share no public base
        raise RecallError(
            f"{name} cannot be loaded by ONNX Runtime ({type(error).__name__}); reinstall what it "
            "came with, or choose another embedder."
        ) from error
    return_freed_memory()  # of 65 MB and more, which loading needed
    return session


def in_batches(
    tokens: Sequence[Sequence[int]],
    run: Callable[[list[Sequence[int]]], np.ndarray],
    dimensions: int,
    threads: int,
) -> np.ndarray:
    """Return one vector for each text, float32, shape (len(tokens), dimensions).

    Args:
        tokens: of each text, at least one.
        run: returns the vectors of the texts of one batch.
        dimensions: values of a vector.
        threads: batches run at once; 0 takes one per physical core.
    """
    import numpy as np

    vectors = np.zeros((len(tokens), dimensions), dtype=np.float32)

    def fill(batch: list[int]) -> None:
        vectors[batch] = run([tokens[index] for index in batch])

    groups = batches([len(ids) for ids in tokens])
    if len(groups) == 1:
        fill(groups[0])
    elif groups:
        # A batch a core, each in one thread, is a fifth faster than one batch in all of them.
        with ThreadPoolExecutor(threads or physical_cores()) as workers:
            list(workers.map(fill, groups))
    return vectors


def batches(lengths: Sequence[int]) -> list[list[int]]:
    """Return indices grouped by similar length; a group's padded size is bounded."""
    groups: list[list[int]] = []
    longest = 0
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        longest = lengths[index]  # sorted: the newest is the longest of its group
        group = groups[-1] if groups else None
        if group and len(group) < _BATCH_TEXTS and longest * (len(group) + 1) <= BATCH_TOKENS:
            group.append(index)
        else:
            groups.append([index])
    return groups


def padded(tokens: Sequence[Sequence[int]], fill: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return the tokens of some texts as one array, int64, and a mask of the real ones."""
    import numpy as np

    ids = np.full((len(tokens), max(map(len, tokens))), fill, dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, text in enumerate(tokens):
        ids[row, : len(text)] = text
        mask[row, : len(text)] = 1
    return ids, mask
