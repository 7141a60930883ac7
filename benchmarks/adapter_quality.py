"""Do our adapters learn as much as PEFT's from the same text with the same recipe?

Three speakers with much text: an adapter is trained on the earlier speeches of each and the
last one is scored, without and with it. PEFT starts from the same dequantized weights in float32
and the same initial adapter, and sees the same documents in the same order at the same learning
rates. Needs a folder of texts called YEAR-SPEAKER.txt, such as State of the Union addresses.

    python benchmarks/adapter_quality.py [FOLDER] [--speakers 3] [--epochs 1] [--max-steps N]
                                         [--max-length 512] [--precision auto|f32] [--json PATH]

Without FOLDER, shared/data/state_union beside the checkout is taken. The peer needs
`pip install torch transformers peft`; without it only base and adapted are compared.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ondevice.home import Home
from ondevice.models.base_model import BaseModel, resolve
from ondevice.training.data import Document, plan_steps
from ondevice.training.lora import AdapterParameters
from ondevice.training.optimizer import learning_rate
from ondevice.training.recipe import Recipe
from ondevice.training.scoring import read_documents, score
from ondevice.training.trainer import Trainer, TrainingEvent
from ondevice.training.weights import Weights

HERE = Path(__file__).resolve().parent
WITHIN = 0.01  # what the two held-out losses may differ by


@dataclass(frozen=True)
class Speaker:
    """A person's speeches in the order of time: the last is held out."""

    name: str
    speeches: tuple[Path, ...]


def find_folder(given: Path | None) -> Path:
    """Return the folder of speeches; ends the program with one sentence if there is none."""
    places = [given] if given else [p / "shared/data/state_union" for p in HERE.parents]
    for place in places:
        if place.is_dir() and any(place.glob("*-*.txt")):
            return place
    sys.exit(
        f"There are no speeches called YEAR-SPEAKER.txt in {given}; give their folder."
        if given
        else "There is no folder shared/data/state_union beside the checkout; give the folder of "
        "the speeches (files called YEAR-SPEAKER.txt)."
    )


def as_utf8(folder: Path, into: Path) -> Path:
    """Copy the speeches as UTF-8 and return the new folder; some old files are in Windows-1252."""
    for path in folder.glob("*-*.txt"):
        content = path.read_bytes()
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = content.decode("cp1252", "replace")
        (into / path.name).write_text(text, encoding="utf-8")
    return into


def speakers_with_most_text(folder: Path, n: int) -> list[Speaker]:
    """Return the `n` speakers with the most text before their last speech."""
    speeches: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("*-*.txt")):
        speeches.setdefault(path.stem.split("-")[1], []).append(path)
    amount = {
        name: sum(path.stat().st_size for path in paths[:-1]) for name, paths in speeches.items()
    }
    chosen = sorted(amount, key=lambda name: -amount[name])[:n]
    return [Speaker(name, tuple(speeches[name])) for name in chosen]


def train_ours(
    base: BaseModel, weights: Weights, documents: list[Document], recipe: Recipe, precision: Any
) -> bytes:
    """Return the adapter file."""

    def tell(event: TrainingEvent) -> None:
        if event.kind == "step" and event.step % 20 == 0:
            progress("ours", event.step, event.n_steps, event.loss or 0.0)

    trainer = Trainer(weights, documents, recipe, base_sha256=base.sha256, precision=precision)
    content = trainer.run(tell).content
    assert content is not None
    return content


def train_peft(weights: Weights, documents: list[Document], recipe: Recipe) -> Any:
    """Return PEFT's model, trained by the recipe, on the same documents in the same order."""
    import torch
    from peft_peer import MODULES, build, load_gguf

    model = build(weights.architecture, torch.float32, recipe.rank, recipe.alpha)
    load_gguf(model, weights)
    blocks = model.get_base_model().model.layers
    for name, pair in AdapterParameters.initial(weights.architecture, recipe).pairs.items():
        _, index, layer, _ = name.split(".")
        lora = blocks[int(index)].get_submodule(MODULES[layer])
        lora.lora_A["default"].weight.data.copy_(torch.from_numpy(pair.a))
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        trained, betas=(recipe.beta1, recipe.beta2), eps=recipe.epsilon,
        weight_decay=recipe.weight_decay,
    )  # fmt: skip
    steps = plan_steps(
        documents, recipe.tokens_per_step, recipe.epochs, recipe.max_steps, recipe.seed
    )
    model.train()
    for number, members in enumerate(steps):
        n_supervised = sum(documents[index].n_supervised for index in members)
        loss = 0.0
        for index in members:
            tokens = torch.from_numpy(documents[index].tokens).long()[None]
            mean = model(input_ids=tokens, labels=tokens).loss
            part = mean * (documents[index].n_supervised / n_supervised)
            part.backward()
            loss += part.item()
        torch.nn.utils.clip_grad_norm_(trained, recipe.clip)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(number, len(steps), recipe)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if (number + 1) % 20 == 0:
            progress("PEFT", number + 1, len(steps), loss)
    return model


def score_peft(model: Any, documents: Sequence[Document]) -> float:
    """Return the mean loss in nats over all supervised tokens."""
    import torch

    total = 0.0
    model.eval()
    with torch.no_grad():
        for document in documents:
            tokens = torch.from_numpy(document.tokens).long()[None]
            total += model(input_ids=tokens, labels=tokens).loss.item() * document.n_supervised
    return total / sum(document.n_supervised for document in documents)


def compare(
    speaker: Speaker, base: BaseModel, weights: Weights, recipe: Recipe, options: Any
) -> dict[str, Any]:
    """Train and score both for one speaker."""
    length = options.max_length
    documents = read_documents(base, speaker.speeches[:-1], max_length=length)
    held_out = read_documents(base, speaker.speeches[-1:], max_length=length)
    n_tokens = sum(len(document.tokens) for document in documents)
    recipe = recipe.settled(n_tokens)
    print(f"… {speaker.name}: {n_tokens} tokens of earlier speeches", file=sys.stderr)
    began = time.monotonic()
    adapter = train_ours(base, weights, documents, recipe, options.precision)
    result = {
        "trained_on": [path.name for path in speaker.speeches[:-1]],
        "held_out": speaker.speeches[-1].name,
        "tokens": n_tokens,
        "rank": recipe.rank,
        "base": score(base, held_out, precision=options.precision).nll,
        "ours": score(base, held_out, adapters=[(adapter, 1.0)], precision=options.precision).nll,
        "ours_minutes": (time.monotonic() - began) / 60,
    }
    if options.peer:
        began = time.monotonic()
        model = train_peft(weights, documents, recipe)
        result["peft"] = score_peft(model, held_out)
        with model.disable_adapter():
            result["peft_base"] = score_peft(model, held_out)
        result["peft_minutes"] = (time.monotonic() - began) / 60
        result["difference"] = result["ours"] / result["peft"] - 1.0
    return result


def progress(who: str, step: int, n_steps: int, loss: float) -> None:
    """Say on stderr how far it is."""
    print(f"… {who}: step {step}/{n_steps}, loss {loss:.3f}", file=sys.stderr, flush=True)


def show(results: dict[str, dict[str, Any]]) -> None:
    """Print the table."""
    table = Table(title="loss of the last speech, nats per token")
    for name in ("speaker", "trained on", "base", "ours", "PEFT", "PEFT's base", "ours / PEFT − 1"):
        table.add_column(name, justify="left" if name == "speaker" else "right")
    for name, r in results.items():
        table.add_row(
            name,
            f"{r['tokens']} tokens",
            f"{r['base']:.4f}",
            f"{r['ours']:.4f}",
            f"{r['peft']:.4f}" if "peft" in r else "",
            f"{r['peft_base']:.4f}" if "peft" in r else "",
            f"{r['difference']:+.2%} (goal: within {WITHIN:.0%})" if "peft" in r else "",
        )
    Console(width=120).print(table)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--speakers", type=int, default=3)
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--max-steps", type=int, default=0)
    parser.add_argument("--max-length", type=int, default=512)
    parser.add_argument("--precision", choices=["auto", "f32"], default="auto")
    parser.add_argument("--no-peer", dest="peer", action="store_false")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()

    folder = find_folder(options.folder)
    missing = [name for name in ("torch", "transformers", "peft") if find_spec(name) is None]
    if options.peer and missing:
        print(f"… PEFT is left out: pip install {' '.join(missing)}", file=sys.stderr)
        options.peer = False
    base = resolve("default", Home.default())
    weights = Weights(base.header)
    recipe = Recipe(
        epochs=options.epochs, max_steps=options.max_steps, max_length=options.max_length,
        held_out=0.0,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        speakers = speakers_with_most_text(as_utf8(folder, Path(name)), options.speakers)
        results = {
            speaker.name: compare(speaker, base, weights, recipe, options) for speaker in speakers
        }
    show(results)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
