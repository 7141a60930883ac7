"""What counts as the same word, in every script."""

from __future__ import annotations

import unicodedata

import pytest

from ondevice.ground.words import folded, index_text, pairs_of, words_in


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Café ÉTÉ", "cafe ete"),
        ("STRASSE Straße ẞ", "strasse strasse ss"),
        ("Smørrebrød, Ærø", "smorrebrod, aero"),
        ("Łódź żółć", "lodz zolc"),
        ("İstanbul ISPARTA ılıca", "istanbul isparta ilica"),
        ("Ёлка ёж", "елка еж"),
        ("Đà Nẵng", "da nang"),
        ("Άνθρωπος", "ανθρωποσ"),
        ("ＡＢＣ１２", "abc12"),
        ("ｶﾞﾗｽ", "ガラス"),
        ("كِتَابٌ", "كتاب"),
        ("๒๕๖๗ ١٢", "2567 12"),
        ("co\u00adoperate", "cooperate"),
    ],
)
def test_letters_are_folded_however_they_are_put_together(text: str, plain: str) -> None:
    for form in ("NFC", "NFD"):
        assert folded(unicodedata.normalize(form, text)) == plain


@pytest.mark.parametrize(
    ("one", "other"),
    [("が", "か"), ("ハス", "バス"), ("หมา", "หม้า"), ("हिन्दी", "हन्द"), ("пить", "петь")],
)
def test_marks_that_tell_words_apart_stay(one: str, other: str) -> None:
    assert folded(one) != folded(other)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("My dog's L'eau e-mail_2", "my dog s l eau e mail 2"),
        ("狗很小。", "狗很 很小 小"),
        ("iPhone很贵", "iphone 很贵 贵"),
        ("ビスケット", "ビス スケ ケッ ット ト"),
        ("강아지가 좋아", "강아 아지 지가 가 좋아 아"),
        ("ภูเก็ต", "ภูเก็ เก็ต ต"),
        ("ខ្មែរ", "ខ្មែរ រ"),
        ("မြန်မာ", "မြန်မာ မာ"),
        ("ເຂົ້າ", "ເຂົ້າ"),
        ("हिन्दी भाषा।", "हिन्दी भाषा"),
        ("猫", "猫"),
        ("Zahnarzttermin", "zahnarzttermin ←nimrettzranhaz"),
        ("!?", ""),
    ],
)
def test_texts_become_terms(text: str, terms: str) -> None:
    assert index_text(text) == terms


@pytest.mark.parametrize(
    ("word", "text"),
    [("สุนัข", "เลี้ยงสุนัขไว้สองตัว"), ("东京塔", "我们去看东京塔了"), ("ខ្មែរ", "ភាសាខ្មែរ")],
)
def test_pairs_of_a_word_are_among_the_terms_of_its_text(word: str, text: str) -> None:
    (whole,) = words_in(text)
    assert set(pairs_of(word)) <= set(index_text(whole).split())
