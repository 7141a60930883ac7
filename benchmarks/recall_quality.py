"""Does recall find the turn that answers a question, in long conversations?

300 questions over ten invented pairs of friends (six write English, two German,
two Spanish), each pair with twelve dated sessions of small talk in which both
tell things about themselves; `recall_questions/` holds the texts. Half of the
questions use words of the conversation, half are paraphrased. A question is
answered when its evidence turn is among the first 5, 10 or 20. Beside ours:
BM25 (stop words out, Porter stems), window BM25 (each turn indexed with its
neighbours), the embedder alone, and plain reciprocal-rank fusion of BM25 and it;
all four get the question without the friends' names, which helps them much.
The weights of ours were tuned (`--tune`) on the even pairs only; "held out" are
the odd ones. Prints a table and writes `results/recall_quality.json`.

    python benchmarks/recall_quality.py [--tune ROUNDS] [--embedder NAME]
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import random
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ondevice.home import Home
from ondevice.memory.embedders.choose import open_embedder
from ondevice.memory.embedders.protocol import Embedder
from ondevice.memory.embedding import embedded
from ondevice.memory.fusion import FusionWeights
from ondevice.memory.query_terms import query_terms
from ondevice.memory.search import Recall
from ondevice.settings import RecallSettings
from ondevice.store.profile import Profile
from ondevice.store.records import NewPassage

HERE = Path(__file__).parent
CUTS = (5, 10, 20)
FIRST_DAY = 1_700_000_000.0
TOLD_BY_BOTH = 3  # every third topic is told by both friends, with different values


@dataclass
class Question:
    """A question, who asks for what, and the passage that answers it."""

    text: str
    evidence: str  # an id
    language: str


@dataclass
class Corpus:
    """One pair's conversations, stored in a profile."""

    number: int
    friends: Sequence[str]
    recall: Recall
    embedder: Embedder
    ids: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    sessions: list[int] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    vectors: np.ndarray = field(default_factory=lambda: np.zeros((0, 384), np.float32))


class CachingEmbedder:
    """Embeds a question once, however many weights are tried on it."""

    def __init__(self, inner: Embedder) -> None:
        """Ask `inner`, with an empty cache."""
        self.inner = inner
        self.name, self.sha256 = inner.name, inner.sha256
        self.dimensions, self.calibration = inner.dimensions, inner.calibration
        self._cache: dict[str, np.ndarray] = {}

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Return what is stored of `texts`."""
        return self.inner.embed(texts)

    def embed_queries(self, texts: Sequence[str]) -> np.ndarray:
        """Return what is searched with."""
        for text in texts:
            if text not in self._cache:
                self._cache[text] = self.inner.embed_queries([text])[0]
        return np.stack([self._cache[text] for text in texts])

    def count_tokens(self, text: str) -> int:
        """Return how many tokens `text` has."""
        return self.inner.count_tokens(text)


# --- the corpus -----------------------------------------------------------------


def build(number: int, profile: Profile, embedder: Embedder) -> Corpus:
    """Write the conversations of one pair into `profile`."""
    people = json.loads((HERE / "recall_questions" / "people.json").read_text("utf-8"))
    language, *friends = people["pairs"][number]
    material = json.loads((HERE / "recall_questions" / f"{language}.json").read_text("utf-8"))
    chance = random.Random(f"{number} {friends}")
    sessions = _sessions(material, friends, number, people, chance)
    corpus = Corpus(number, friends, Recall(profile, embedder), embedder)
    for day, turns in enumerate(sessions):
        source = profile.sources.add("import", f"chat {day + 1}")
        start = FIRST_DAY + day * 9 * 86_400
        passages = [
            NewPassage(text=text, time=start + 60 * place, speaker=speaker)
            for place, (speaker, text, _) in enumerate(turns)
        ]
        vectors = embedded(embedder, [passage.text for passage in passages])
        stored = profile.passages.add(source.id, passages, vectors)
        corpus.vectors = np.concatenate([corpus.vectors, vectors.values])
        for passage, (_, _, question) in zip(stored, turns, strict=True):
            corpus.ids.append(passage.id)
            corpus.texts.append(passage.text)
            corpus.sessions.append(day)
            if question:
                corpus.questions.append(Question(question, passage.id, language))
    return corpus


def _sessions(
    material: dict[str, Any],
    friends: Sequence[str],
    number: int,
    people: dict[str, Any],
    chance: random.Random,
) -> list[list[tuple[str, str, str | None]]]:
    """Return sessions of (speaker, text, question that the text answers)."""
    stories = []
    for place, topic in enumerate(material["topics"]):
        tellers = list(friends)
        chance.shuffle(tellers)
        values = topic["values"]
        for nth, teller in enumerate(tellers if place % TOLD_BY_BOTH == 0 else tellers[:1]):
            other = friends[1] if teller == friends[0] else friends[0]
            value = values[(number + nth) % len(values)]
            direct = (number // 2 + place + nth) % 2 == 0
            stories.append(_story(topic, teller, other, value, number + nth, direct))
    chance.shuffle(stories)
    sessions: list[list[tuple[str, str, str | None]]] = []
    for day in range(people["sessions"]):
        talk = list(_small_talk(material, friends, people["turns_of_small_talk"], chance))
        for story in stories[day :: people["sessions"]]:
            place = chance.randrange(len(talk) + 1)
            talk[place:place] = [(story, "", None)]  # type: ignore[list-item]
        turns: list[tuple[str, str, str | None]] = []
        for turn in talk:
            turns += turn[0] if isinstance(turn[0], list) else [turn]
        sessions.append(turns)
    return sessions


def _story(
    topic: dict[str, Any], teller: str, other: str, value: str, variant: int, direct: bool
) -> list[tuple[str, str, str | None]]:
    asked = topic["questions"]["paraphrased"]
    question = topic["questions"]["direct"] if direct else asked[variant // 2 % len(asked)]
    question = question.replace("{A}", teller)
    turns = []
    for line in topic["tellings"][variant % len(topic["tellings"])]:
        who, _, text = line.removeprefix("*").partition(": ")
        text = text.replace("{v}", value)
        text = text[:1].upper() + text[1:]
        turns.append(
            (teller if who == "A" else other, text, question if line.startswith("*") else None)
        )
    return turns


def _small_talk(
    material: dict[str, Any], friends: Sequence[str], count: int, chance: random.Random
) -> Iterator[tuple[str, str, None]]:
    fill = material["fill"]
    for place in range(count):
        text = chance.choice(material["small_talk"])
        for slot, words in fill.items():
            text = text.replace("{" + slot + "}", chance.choice(words))
        yield friends[place % 2], text.replace("{friend}", friends[1 - place % 2]), None


# --- the methods ------------------------------------------------------------------


class Peers:
    """The four other methods over one corpus."""

    def __init__(self, corpus: Corpus) -> None:
        """Index the turns, alone and with their neighbours, in plain SQLite."""
        self.corpus = corpus
        self.plain = full_text(corpus.texts)
        self.window = full_text([self._with_neighbours(row) for row in range(len(corpus.texts))])

    def _with_neighbours(self, row: int) -> str:
        near = [i for i in (row - 1, row, row + 1) if 0 <= i < len(self.corpus.ids)]
        day = self.corpus.sessions[row]
        return "\n".join(self.corpus.texts[i] for i in near if self.corpus.sessions[i] == day)

    def about(self, query: str) -> str:
        """Return the question without the friends' names: with them all peers do far worse."""
        for name in self.corpus.friends:
            query = query.replace(f"{name}'s ", "").replace(name, "")
        return query

    def bm25(self, query: str, k: int) -> list[str]:
        """Rank by BM25 of the turn."""
        return [self.corpus.ids[row] for row in matches(self.plain, query, k)]

    def window_bm25(self, query: str, k: int) -> list[str]:
        """Rank by BM25 of the turn with its neighbours."""
        return [self.corpus.ids[row] for row in matches(self.window, query, k)]

    def meaning(self, query: str, k: int) -> list[str]:
        """Rank by cosine."""
        scores = self.corpus.vectors @ self.corpus.embedder.embed_queries([query])[0]
        return [self.corpus.ids[row] for row in np.argsort(-scores, kind="stable")[:k]]

    def rank_fusion(self, query: str, k: int) -> list[str]:
        """Rank by the sum of 1 / (60 + rank) of BM25 and the embedder."""
        scores: dict[str, float] = {}
        for ranking in (self.bm25(query, 100), self.meaning(query, 100)):
            for rank, identity in enumerate(ranking, 1):
                scores[identity] = scores.get(identity, 0.0) + 1 / (60 + rank)
        return sorted(scores, key=lambda identity: -scores[identity])[:k]


def full_text(texts: Sequence[str]) -> sqlite3.Connection:
    """Return a full-text index of `texts`, which are numbered from 0."""
    connection = sqlite3.connect(":memory:")
    connection.execute(
        "CREATE VIRTUAL TABLE t USING fts5"
        " (text, tokenize = 'porter unicode61 remove_diacritics 2')"
    )
    connection.executemany("INSERT INTO t (rowid, text) VALUES (?, ?)", enumerate(texts))
    return connection


def matches(connection: sqlite3.Connection, query: str, k: int) -> list[int]:
    """Return the numbers of the `k` best texts."""
    terms = " OR ".join(f'"{term}"' for term in query_terms(query))
    if not terms:
        return []
    return [
        row
        for (row,) in connection.execute(
            "SELECT rowid FROM t WHERE t MATCH ? ORDER BY rank, rowid LIMIT ?", (terms, k)
        )
    ]


# --- the comparison ---------------------------------------------------------------

Method = Callable[[Corpus, Peers, str, int], list[str]]
METHODS: dict[str, Method] = {
    "BM25": lambda corpus, peers, query, k: peers.bm25(peers.about(query), k),
    "window BM25": lambda corpus, peers, query, k: peers.window_bm25(peers.about(query), k),
    "embedder alone": lambda corpus, peers, query, k: peers.meaning(peers.about(query), k),
    "plain rank fusion": lambda corpus, peers, query, k: peers.rank_fusion(peers.about(query), k),
    "ours": lambda corpus, peers, query, k: [m.id for m in corpus.recall.search(query, k=k)],
}


def recall_at(method: Method, corpora: Sequence[tuple[Corpus, Peers]], language: str = "") -> list:
    """Return recall at 5, 10 and 20, in percent, over all questions of `corpora`."""
    found = np.zeros(len(CUTS))
    count = 0
    for corpus, peers in corpora:
        for question in corpus.questions:
            if language and question.language != language:
                continue
            ranking = method(corpus, peers, question.text, max(CUTS))
            found += [question.evidence in ranking[:cut] for cut in CUTS]
            count += 1
    return [round(100 * float(value) / max(count, 1), 1) for value in found]


def tune(corpora: Sequence[tuple[Corpus, Peers]], rounds: int) -> FusionWeights:
    """Return the best of `rounds` random changes of the weights on `corpora`."""
    chance = random.Random(7)

    def measure(weights: FusionWeights) -> float:
        for corpus, _ in corpora:
            corpus.recall._weights = weights
        return sum(recall_at(METHODS["ours"], corpora))

    best = FusionWeights()
    best_score = measure(best)
    for _ in range(rounds):
        trial = dataclasses.replace(
            best,
            cosine=round(best.cosine * chance.uniform(0.7, 1.4), 2),
            bm25_neighbours=_varied(best.bm25_neighbours, chance),
            cosine_neighbours=_varied(best.cosine_neighbours, chance),
            speaker=round(min(1.0, best.speaker * chance.uniform(0.6, 1.6)), 2),
            nearness=round(best.nearness * chance.uniform(0.6, 1.6), 2),
        )
        score = measure(trial)
        if score > best_score:
            best, best_score = trial, score
            print(f"{score / len(CUTS):.1f}  {trial}", flush=True)
    return best


def _varied(shares: tuple[float, ...], chance: random.Random) -> tuple[float, ...]:
    return tuple(round(min(1.0, share * chance.uniform(0.6, 1.6)), 2) for share in shares)


def main() -> None:
    """Build the corpora, compare the methods, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tune", type=int, default=0, metavar="ROUNDS")
    parser.add_argument("--embedder", default=RecallSettings().embedder)
    options = parser.parse_args()
    rounds = options.tune
    embedder = CachingEmbedder(open_embedder(options.embedder, Home.default()))
    pairs = json.loads((HERE / "recall_questions" / "people.json").read_text("utf-8"))["pairs"]
    with tempfile.TemporaryDirectory() as folder:
        home = Home.below(Path(folder))
        corpora = []
        for number in range(len(pairs)):
            profile = Profile.create(home, f"pair{number}", passphrase="a benchmark's own")
            corpus = build(number, profile, embedder)
            corpora.append((corpus, Peers(corpus)))
        if rounds:
            print(tune([pair for pair in corpora if pair[0].number % 2 == 0], rounds))
        _report(corpora)
        for corpus, _ in corpora:
            corpus.recall._profile.close()


def _report(corpora: Sequence[tuple[Corpus, Peers]]) -> None:
    groups: dict[str, tuple[Sequence[tuple[Corpus, Peers]], str]] = {
        "all": (corpora, ""),
        "tuned on": ([pair for pair in corpora if pair[0].number % 2 == 0], ""),
        "held out": ([pair for pair in corpora if pair[0].number % 2 == 1], ""),
        "English": (corpora, "en"),
        "German": (corpora, "de"),
        "Spanish": (corpora, "es"),
    }
    questions = sum(len(corpus.questions) for corpus, _ in corpora)
    turns = sum(len(corpus.ids) for corpus, _ in corpora)
    print(f"{questions} questions over {turns} turns; recall@5 / @10 / @20 in percent")
    print(f"{'':<18}" + "".join(f"{name:^22}" for name in groups))
    results: dict[str, dict[str, list[float]]] = {}
    for name, method in METHODS.items():
        results[name] = {
            group: recall_at(method, some, language) for group, (some, language) in groups.items()
        }
        cells = [" / ".join(f"{v:.1f}" for v in row) for row in results[name].values()]
        print(f"{name:<18}" + "".join(f"{cell:^22}" for cell in cells), flush=True)
    path = HERE / "results" / "recall_quality.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        json.dumps({"questions": questions, "turns": turns, "recall": results}, indent=1)
    )


if __name__ == "__main__":
    main()
