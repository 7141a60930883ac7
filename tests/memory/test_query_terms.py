"""Which words of a question are looked up, language by language."""

from __future__ import annotations

import pytest

from ondevice.memory.query_terms import asked_in, looked_up, query_terms
from ondevice.memory.stop_words import stop_words


@pytest.mark.parametrize(
    ("query", "language", "terms"),
    [
        ("Where did I put the spare key?", "en", ["put", "spare", "key"]),
        ("Don't you know what I've said about olives?", "en", ["olives"]),
        ("Wo habe ich den Ersatzschlüssel hingelegt?", "de", ["ersatzschlussel", "hingelegt"]),
        ("¿Dónde está la llave de la bodega?", "es", ["llave", "bodega"]),
        ("Où est-ce que j'ai rangé l'aspirateur ?", "fr", ["range", "aspirateur"]),
        ("Onde está a chave da garagem?", "pt", ["chave", "garagem"]),
        ("Dove ho messo le chiavi dell'armadio?", "it", ["messo", "chiavi", "armadio"]),
        ("Waar heb ik de fietssleutel gelaten?", "nl", ["fietssleutel", "gelaten"]),
        ("Gdzie jest mój zapasowy klucz?", "pl", ["zapasowy", "klucz"]),
        ("Где лежит мой запасной ключ?", "ru", ["лежит", "запаснои", "ключ"]),
        ("Yedek anahtar nerede ve kimin?", "tr", ["yedek", "anahtar"]),
    ],
)
def test_stop_words_of_each_language_are_left_out(
    query: str, language: str, terms: list[str]
) -> None:
    assert query_terms(query) == terms
    assert asked_in(query) == [language]


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("Which war was my grandfather in?", "war"),
        ("Where did my hamster die?", "die"),
        ("Is gluttony a sin?", "sin"),
        ("How old is my son?", "son"),
        ("Are there ten of them?", "ten"),
        ("war", "war"),
        ("die", "die"),
        ("¿Cuánto cuesta el pan?", "pan"),
        ("Wann war die Feier in Rom?", "rom"),
        ("Quand est la fête de mon père ?", "fete"),
    ],
)
def test_a_word_is_judged_in_the_language_of_its_question(query: str, kept: str) -> None:
    assert kept in query_terms(query)


@pytest.mark.parametrize(
    "query",
    ["What is it?", "Was ist das?", "Qui est-ce ?", "Kto to jest?", "これは何ですか", "你是谁？"],
)
def test_a_question_of_stop_words_asks_for_nothing(query: str) -> None:
    assert query_terms(query) == []


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("我的狗叫什么名字？", "名字"),
        ("ビスケットはどこで買いましたか", "スケ"),
        ("สุนัขของฉันชื่ออะไร", "สุนั"),
        ("우리 강아지는 몇 살이야?", "강아"),
    ],
)
def test_scripts_without_spaces_are_looked_up_in_pairs(query: str, wanted: str) -> None:
    assert wanted in query_terms(query)


def test_other_forms_are_looked_up_by_the_beginning_of_a_word() -> None:
    assert looked_up(["dogs"], ["en"]) == ["dogs"]
    assert looked_up(["zahnarzt"], ["de"]) == ["zahnarzt", "zahna*", "*zahnarzt"]
    assert looked_up(["hunde"], ["de"]) == ["hunde", "hund*", "*hunde"]
    assert looked_up(["zahnarzt"], []) == ["zahnarzt", "zahnarzt*", "*zahnarzt"]
    assert looked_up(["hermanas"], ["es"]) == ["hermanas", "herma*"]
    assert looked_up(["gatinhos"], ["es", "pt"]) == ["gatinhos", "gatin*"]
    assert looked_up(["собаку"], []) == ["собаку", "соба*", "*собаку"]
    assert looked_up(["1945"], ["de"]) == ["1945"]
    assert looked_up(["猫"], []) == ["猫*"]


def test_every_list_of_stop_words_is_there_and_folded() -> None:
    for language in ("en", "de", "es", "fr", "pt", "it", "nl", "pl", "ru", "tr"):
        assert len(stop_words([language])) > 100, language
    assert "fur" in stop_words(["de"]) and "für" not in stop_words(["de"])
