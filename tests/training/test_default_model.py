"""End to end on the embedded default model: train by the command, then ask llama.cpp."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import llama_cpp
import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from ondevice import _kernels
from ondevice.adapters.gguf_lora import content_sha256, read_adapter
from ondevice.cli import cli
from ondevice.engine.llama import LlamaEngine
from ondevice.engine.protocol import AdapterUse
from ondevice.home import Home
from ondevice.models.base_model import BaseModel
from ondevice.training.data import pack
from ondevice.training.decoder import Decoder
from ondevice.training.scoring import read_documents, score, score_with
from ondevice.training.weights import Weights

PROSE = Path(__file__).parents[2] / "SECURITY.md"
TEXTS = [PROSE, PROSE.with_name("README.md")]
SENTENCES = [
    "Marla keeps three grey geese behind the old ferry house.",
    "On Thursdays Tomas tunes the cello that his aunt left him.",
    "The blue kettle in the cabin whistles a little flat.",
    "Ines reads the tide tables before she reads the news.",
    "Nobody has opened the red suitcase since the move to Turin.",
]


def losses_by(engine: LlamaEngine, tokens: list[int]) -> NDArray[np.float64]:
    engine.reset_cache()
    return -engine.score(tokens[1:], context=tokens[:1]).log_likelihood


@pytest.fixture
def engine(shared_engine: LlamaEngine) -> Iterator[LlamaEngine]:
    yield shared_engine
    shared_engine.set_adapters([])
    shared_engine.reset_cache()


def test_likelihoods_are_llama_cpps(default_model: BaseModel, engine: LlamaEngine) -> None:
    documents = read_documents(default_model, TEXTS)[:2]
    assert sum(len(d.tokens) for d in documents) > 700
    ours = score(default_model, documents)
    theirs = score_with(documents, lambda tokens: losses_by(engine, tokens))
    assert ours.tokens == theirs.tokens == sum(len(d.tokens) - 1 for d in documents)
    assert ours.nll == pytest.approx(theirs.nll, rel=2e-3)


def test_distributions_are_llama_cpps(default_model: BaseModel) -> None:
    """llama.cpp quantizes activations to 8 bits; exact arithmetic stays this close to it."""
    document = read_documents(default_model, [PROSE], max_length=160)[0]
    tokens = document.tokens.tolist()
    weights = Weights(default_model.header)
    decoder = Decoder(weights)
    head = np.empty((weights.architecture.n_vocab, weights.architecture.width), np.float32)
    _kernels.dequantize(weights.matrix("token_embd.weight"), head)
    ours = log_softmax(decoder.hidden(pack([document])) @ head.T)
    llama = llama_cpp.Llama(
        str(default_model.path), n_ctx=160, n_threads=2, verbose=False, logits_all=True
    )
    llama.eval(tokens)
    theirs = log_softmax(np.array(llama.scores[: len(tokens)]))
    llama.close()
    kl = (np.exp(ours) * (ours - theirs)).sum(1)
    assert kl.mean() < 5e-3
    assert (ours.argmax(1) == theirs.argmax(1)).mean() >= 0.93


def log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    shifted = logits.astype(np.float64) - logits.max(1, keepdims=True)
    result: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    return result


@pytest.fixture(scope="module")
def trained(
    default_model: BaseModel, shared_home: Home, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Overfit five sentences through the command line."""
    folder = tmp_path_factory.mktemp("trained")
    data = folder / "sentences.jsonl"
    data.write_text("".join(json.dumps({"text": s}) + "\n" for s in SENTENCES), encoding="utf-8")
    arguments = ["train", "--data", str(data), "--out", str(folder / "adapter.gguf"), "--json"]
    arguments += ["--rank", "8", "--learning-rate", "0.003", "--max-steps", "25"]
    arguments += ["--first-layer", "15", "--plot", str(folder / "loss.svg")]
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert [e["kind"] for e in events] == ["start", *["step"] * 25, "end"]
    # The first token alone cannot say which of five sentences follows: ln 5 of some 13 tokens.
    assert events[-2]["loss"] < 0.2 and events[1]["loss"] > 2.0
    assert {"tokens_per_second", "seconds_left", "memory_bytes", "learning_rate"} <= set(events[5])
    assert (folder / "loss.svg").read_text(encoding="utf-8").startswith("<svg")
    assert sorted(p.name for p in folder.iterdir()) == [
        "adapter.gguf", "loss.svg", "sentences.jsonl",
    ]  # fmt: skip
    return folder


def use(path: Path, base: BaseModel, scale: float = 1.0) -> AdapterUse:
    return AdapterUse("trained", content_sha256(path.read_bytes()), path, base.sha256, scale)


def test_llama_cpp_recites_what_was_learned(
    trained: Path, default_model: BaseModel, engine: LlamaEngine
) -> None:
    engine.set_adapters([use(trained / "adapter.gguf", default_model)])
    for sentence in SENTENCES:
        tokens = engine.tokenize(sentence)
        losses = losses_by(engine, tokens)
        # Likelier than all others together: greedy decoding recites the sentence.
        assert losses[2:].max() < np.log(2.0), sentence


def test_both_engines_agree_on_the_adapted_model(
    trained: Path, default_model: BaseModel, engine: LlamaEngine
) -> None:
    adapter = trained / "adapter.gguf"
    documents = read_documents(default_model, TEXTS, max_length=256)[:1]
    engine.set_adapters([use(adapter, default_model, 0.4)])
    theirs = score_with(documents, lambda tokens: losses_by(engine, tokens))
    ours = score(default_model, documents, adapters=[(adapter, 0.4)])
    bare = score(default_model, documents)
    assert abs(ours.nll - bare.nll) > 0.02
    assert ours.nll == pytest.approx(theirs.nll, rel=0.01)


def test_the_adapter_says_where_it_comes_from(trained: Path, default_model: BaseModel) -> None:
    adapter = read_adapter(trained / "adapter.gguf", default_model.header)
    assert adapter.provenance["base_sha256"] == default_model.sha256
    assert set(adapter.provenance) == {"base_sha256", "recipe_sha256", "code_sha256"}
    assert min(int(name.split(".")[1]) for name in adapter.tensors) == 15
    for sentence in SENTENCES:
        assert sentence.split()[0].encode() not in (trained / "adapter.gguf").read_bytes()


def test_score_command(trained: Path) -> None:
    results = {}
    for engine_name in ("llama", "trainer"):
        arguments = ["score", "--data", str(trained / "sentences.jsonl"), "--json"]
        arguments += ["--adapter", f"{trained / 'adapter.gguf'}:1.0", "--engine", engine_name]
        result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        results[engine_name] = json.loads(result.stdout)
    ours, theirs = results["trainer"], results["llama"]
    assert ours["tokens"] == theirs["tokens"] and len(ours["per_document"]) == len(SENTENCES)
    assert ours["per_document"][0].keys() == {"name", "tokens", "nll"}
    assert ours["perplexity"] == pytest.approx(np.exp(ours["nll"]))
    assert ours["nll"] == pytest.approx(theirs["nll"], abs=0.05)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--data", "/nowhere/x.txt", "--out", "{}/a.gguf"], "There is no file"),
        (["--data", str(PROSE), "--out", "{}/none/a.gguf"], "There is no folder"),
        (["--data", str(PROSE), "--out", "{}"], "is a folder"),
        (["--data", str(PROSE), "--out", "{}/a.gguf", "--rank", "-3"], "rank"),
        (["--data", str(PROSE), "--out", "{}/a.gguf", "--memory-budget", "50MB"], "memory"),
        (["--data", str(PROSE), "--out", "{}/a.gguf", "--on", "{}/b.gguf"], "There is no file"),
    ],
)
def test_errors_come_before_any_work(
    home: Home, tmp_path: Path, arguments: list[str], words: str
) -> None:
    from ondevice.errors import OndeviceError

    folder = tmp_path / "work"
    folder.mkdir()
    filled = [argument.replace("{}", str(folder)) for argument in arguments]
    with pytest.raises(OndeviceError, match=words):
        CliRunner().invoke(cli, ["train", *filled], catch_exceptions=False, standalone_mode=False)
    assert list(folder.iterdir()) == []


def test_a_dry_run_tells_the_cost_and_writes_nothing(tmp_path: Path, shared_home: Home) -> None:
    data = tmp_path / "sentences.md"
    data.write_text("\n\n".join(SENTENCES), encoding="utf-8")
    arguments = ["train", "--data", str(data), "--dry-run", "--json", "--first-layer", "28"]
    arguments += ["--max-steps", "3", "--tokens-per-step", "64"]
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    cost = json.loads(result.stdout)
    assert cost["n_steps"] == cost["measured_steps"] == 3
    assert cost["seconds"] > 0
    assert cost["memory_bytes"] > 100e6  # the model alone is 98 MB
    assert [path.name for path in tmp_path.iterdir()] == ["sentences.md"]
    said = CliRunner().invoke(cli, [*arguments[:3], "--json"], standalone_mode=False)
    assert "--dry-run" in str(said.exception)  # where should the adapter go?
