"""How much memory a training needs, and what to compute twice when it must be less.

The first trade is between keeping a block's activations and computing them again, which the
adapter's bytes do not depend on. If that is not enough, what the recipe leaves open, the tokens
of a step and the rank, becomes smaller.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from ondevice.errors import TrainingError
from ondevice.ground.system_memory import available_memory
from ondevice.remedies import Remedy
from ondevice.training.architecture import Architecture
from ondevice.training.data import PACK_TOKENS
from ondevice.training.divergence import CHUNK_FLOATS
from ondevice.training.recipe import Recipe

_RANKS, _STEPS = (8, 4), (256, 128)  # tried in turn where the usual ones need too much
DIVERGENCE_BYTES = 4 * 4 * CHUNK_FLOATS  # three arrays [tokens, vocabulary], and one packed
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


def settle(
    recipe: Recipe,
    architecture: Architecture,
    *,
    n_tokens: int,
    longest: int,
    weight_bytes: int,
    bf16: bool,
    budget: int | None,
    anchors: int = 0,
) -> tuple[Recipe, MemoryPlan]:
    """Return the recipe with everything settled that it leaves open, and the plan for it.

    Args:
        recipe: what the user wants.
        architecture: of the base model.
        n_tokens: in one pass over the training data.
        longest: of the documents, in tokens.
        weight_bytes: see `plan_memory`.
        bf16: see `plan_memory`.
        budget: see `plan_memory`.
        anchors: tokens of all anchors.

    Raises:
        TrainingError: the smallest possible training needs more memory.
    """
    usual = recipe.settled(n_tokens)
    ranks = [r for r in _RANKS if r < usual.rank] if recipe.rank == 0 else []
    steps = [t for t in _STEPS if t < usual.tokens_per_step] if recipe.tokens_per_step == 0 else []
    refused: TrainingError | None = None
    for rank in (usual.rank, *ranks):
        for per_step in (usual.tokens_per_step, *steps):
            one = dataclasses.replace(recipe, rank=rank, tokens_per_step=per_step)
            one = one.settled(n_tokens)
            try:
                return one, plan_memory(
                    architecture,
                    weight_bytes=weight_bytes,
                    n_parameters=n_parameters(architecture, one),
                    rank=rank,
                    pack_tokens=max(longest, min(PACK_TOKENS, per_step)),
                    # Held-out anchors are measured in whole packs, whatever a step is.
                    anchor_tokens=min(anchors, max(longest, PACK_TOKENS)),
                    lowest=one.first_layer,
                    bf16=bf16,
                    budget=budget,
                )
            except TrainingError as error:
                refused = error
    assert refused is not None
    raise refused


def n_parameters(architecture: Architecture, recipe: Recipe) -> int:
    """Return how many numbers the adapter of a settled recipe has."""
    shapes = map(architecture.linear_shape, architecture.linear_tensors(recipe.layers()))
    blocks = max(0, architecture.n_layers - recipe.first_layer)
    return blocks * recipe.rank * sum(n_in + n_out for n_in, n_out in shapes)


def _block_bytes(a: Architecture, of_heads: int, of_inner: int) -> int:
    """Return how many bytes a block's activations take for each token.

    Args:
        a: of the model.
        of_heads: bytes of a number of what attention is given and gives.
        of_inner: bytes of a number of gate and up.
    """
    heads = (a.n_heads + a.n_kv_heads) * a.head_dim
    numbers = 2 * a.width + a.n_heads  # in float32, and the following
    numbers += heads if a.family.qk_norm else 0
    numbers += 2 * a.width if a.family.post_norm else 0
    return 4 * numbers + of_heads * 2 * heads + of_inner * 2 * a.n_ff


def plan_memory(
    architecture: Architecture,
    *,
    weight_bytes: int,
    n_parameters: int,
    rank: int,
    pack_tokens: int,
    lowest: int,
    bf16: bool,
    budget: int | None,
    anchor_tokens: int = 0,
) -> MemoryPlan:
    """Return the plan that computes as few blocks twice as the budget allows.

    Args:
        architecture: of the base model.
        weight_bytes: of the base model: its mapped file, and what was converted.
        n_parameters: how many numbers are trained.
        rank: of the adapter.
        pack_tokens: most tokens computed at once.
        lowest: index of the lowest trained block.
        bf16: whether products are in bfloat16, and what is kept for them too.
        budget: bytes; None for what this machine has available.
        anchor_tokens: most tokens of anchors computed at once, 0 where there are none.

    Raises:
        TrainingError: even computing every block twice needs more.
    """
    available = budget if budget is not None else available_memory()
    a = architecture
    stream = 4 * a.width
    passing = _block_bytes(a, 4, 2 if bf16 else 4)
    kept = (_block_bytes(a, 2, 2) if bf16 else passing) + 4 * rank * 7
    shared = 4 * (6 * a.width + 3 * (a.n_heads + a.n_kv_heads) * a.head_dim + 3 * a.n_ff)
    # Parameters, gradients and two moments in float32, and the best adapter as F16.
    fixed = FIXED_BYTES + weight_bytes + 18 * n_parameters
    if anchor_tokens:
        # What the reference computes in beside the trained model (a block, the stream and its
        # norm), and the probabilities that are compared.
        fixed += anchor_tokens * (passing + 6 * stream) + DIVERGENCE_BYTES
    plan = MemoryPlan(0, 0)
    for recompute in (0, *range(lowest + 1, a.n_layers + 1)):
        twice = max(0, recompute - lowest)
        per_token = (a.n_layers - lowest - twice) * kept + twice * stream + shared
        per_token += passing if twice or lowest else 0  # the slot that passing blocks share
        plan = MemoryPlan(recompute, fixed + pack_tokens * per_token)
        if available is None or plan.bytes <= available:
            return plan
    allowed = available or 0
    fits = (allowed - fixed) // per_token // 16 * 16
    less = Remedy.LOWER_LENGTH(length=fits, rank=rank) if fits >= 64 else Remedy.LOWER_RANK
    raise TrainingError(
        f"This training needs about {plan.bytes >> 20} MB of memory even at its smallest, but "
        f"{allowed >> 20} MB are allowed.",
        less,
    )
