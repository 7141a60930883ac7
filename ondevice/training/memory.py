"""How much memory a training needs, and what to compute twice when it must be less.

The trade is between keeping a block's activations and computing them again. The
adapter's bytes do not depend on it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ondevice.errors import TrainingError
from ondevice.system_memory import available_memory
from ondevice.training.architecture import Architecture

FIXED_BYTES = 160 << 20  # interpreter, libraries, vocabulary, the kernels' panels


@dataclass(frozen=True)
class MemoryPlan:
    """What was decided.

    Attributes:
        recompute: so many blocks, from below, are computed twice.
        bytes: estimate of the peak of resident memory, the mapped model included.
    """

    recompute: int
    bytes: int


def plan_memory(
    architecture: Architecture,
    *,
    weight_bytes: int,
    n_parameters: int,
    rank: int,
    pack_tokens: int,
    lowest: int,
    budget: int | None,
) -> MemoryPlan:
    """Return the plan that computes as few blocks twice as the budget allows.

    Args:
        architecture: of the base model.
        weight_bytes: of the base model: its mapped file, and what was converted.
        n_parameters: how many numbers are trained.
        rank: of the adapter.
        pack_tokens: most tokens computed at once.
        lowest: index of the lowest trained block.
        budget: bytes; None for what this machine has available.

    Raises:
        TrainingError: even computing every block twice needs more.
    """
    available = budget if budget is not None else available_memory()
    a = architecture
    stream = 4 * a.width
    kept = (
        4 * (2 * (a.n_heads + a.n_kv_heads) * a.head_dim + 2 * a.width + 2 * a.n_ff + a.n_heads)
        + 4 * rank * 7
    )
    kept += 4 * (a.n_heads + a.n_kv_heads) * a.head_dim if a.family.qk_norm else 0
    kept += 4 * 2 * a.width if a.family.post_norm else 0
    shared = 4 * (6 * a.width + 2 * (a.n_heads + a.n_kv_heads) * a.head_dim + 3 * a.n_ff)
    # Parameters, gradients and two moments in float32, and the best adapter as F16.
    fixed = FIXED_BYTES + weight_bytes + 18 * n_parameters
    plan = MemoryPlan(0, 0)
    for recompute in (0, *range(lowest + 1, a.n_layers + 1)):
        twice = max(0, recompute - lowest)
        per_token = (a.n_layers - lowest - twice) * kept + twice * stream + shared
        per_token += kept if twice or lowest else 0  # the slot that passing blocks share
        plan = MemoryPlan(recompute, fixed + pack_tokens * per_token)
        if available is None or plan.bytes <= available:
            return plan
    raise TrainingError(
        f"This training needs about {plan.bytes >> 20} MB of memory even at its smallest, but "
        f"{(available or 0) >> 20} MB are allowed; use a smaller model, a shorter --max-length "
        "or a lower --rank."
    )
