"""The times that a text names, resolved against the day it was said."""

from __future__ import annotations

import datetime
import random
import re
import time
import tomllib
from importlib import resources

import pytest

from ondevice.memory.times import asked_about, describe, holds_until, resolve, when
from ondevice.memory.times.lexicon import LANGUAGES, language
from ondevice.memory.times.spans import easter

SAID = datetime.date(2026, 11, 3)  # a Tuesday


def glosses(text: str, said: datetime.date = SAID) -> list[str]:
    return [f"{mention.phrase} = {when(mention)}" for mention in resolve(text, said)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I saw Ben yesterday.", "yesterday = 2 Nov 2026"),
        ("next week I'm in Oslo", "next week = 9–15 Nov 2026"),
        ("we're off for two weeks", "for two weeks = 3–17 Nov 2026"),
        ("I've been ill for two weeks", "for two weeks = since 20 Oct 2026"),
        ("in October we went to Wales", "in October = Oct 2026"),
        ("in October we'll go to Wales", "in October = Oct 2027"),
        ("on Friday I saw Ben", "on Friday = 30 Oct 2026"),
        ("on Friday I'm seeing Ben", "on Friday = 6 Nov 2026"),
        ("The roofers start on Monday, so I moved the car.", "on Monday = 9 Nov 2026"),
        ("They moved the hearing to a room booked for Friday", "Friday = 6 Nov 2026"),
        ("We swam with the ashes to Lundy. 12 July.", "12 July = 12 Jul 2026"),
        ("da novembre ad aprile siamo isolati", "da novembre ad aprile = Nov 2026–Apr 2027"),
        ("we've been married for 12 years", "for 12 years = since 2014"),
        ("until Friday I'm on call", "until Friday = until 6 Nov 2026"),
        ("we've lived here since 2019", "since 2019 = since 2019"),
        ("two days ago it snowed", "Two days ago = 1 Nov 2026"),
        ("two weeks ago it snowed", "two weeks ago = about 20 Oct 2026"),
        ("two weeks ago today it snowed", "two weeks ago today = 20 Oct 2026"),
        ("three months ago I quit", "three months ago = Aug 2026"),
        ("last summer we swam", "last summer = Jun–Aug 2026"),
        ("last winter we skied", "last winter = Dec 2025–Feb 2026"),
        ("my exam is Tuesday week", "Tuesday week = 17 Nov 2026"),
        ("see you the day after tomorrow", "the day after tomorrow = 5 Nov 2026"),
        ("I ran this morning", "this morning = 3 Nov 2026"),
        ("see you Tuesday of next week", "Tuesday of next week = 10 Nov 2026"),
        ("last year in October it rained", "last year in October = Oct 2025"),
        ("it's on 14 March", "on 14 March = 14 Mar 2027"),
        ("it's on March 14th, 2028", "on March 14th, 2028 = 14 Mar 2028"),
        ("born on 29 February 2024", "on 29 February 2024 = 29 Feb 2024"),
        ("it's on 3/14", "on 3/14 = 14 Mar 2027"),
        ("moved to 2026-12-09", "2026-12-09 = 9 Dec 2026"),
        ("from Monday to Thursday I'm away", "from Monday to Thursday = 9–12 Nov 2026"),
        ("3–7 May I'm away", "3–7 May = 3–7 May 2027"),
        ("early next year I'm moving", "early next year = Jan–Apr 2027"),
        ("on Boxing Day we play", "on Boxing Day = 26 Dec 2026"),
        ("we fly at Easter", "at Easter = 26–29 Mar 2027"),
        ("gestern war ich krank", "gestern = 2 Nov 2026"),
        ("heute Abend koche ich", "heute Abend = 3 Nov 2026"),
        ("übermorgen ziehe ich um", "übermorgen = 5 Nov 2026"),
        ("uebermorgen ziehe ich um", "uebermorgen = 5 Nov 2026"),
        ("nächsten Dienstag habe ich frei", "nächsten Dienstag = 10 Nov 2026"),
        ("vor drei Wochen bin ich gefallen", "vor drei Wochen = about 13 Oct 2026"),
        ("am 14.3. habe ich Geburtstag", "am 14.3. = 14 Mar 2027"),
        ("la semana que viene voy a Vigo", "la semana que viene = 9–15 Nov 2026"),
        ("hace dos años nos casamos", "hace dos años = 2024"),
        ("l’été dernier nous étions à Nice", "l’été dernier = Jun–Aug 2026"),
        ("je l'ai vue il y a trois mois", "il y a trois mois = Aug 2026"),
        ("domani vado dal dentista", "domani = 4 Nov 2026"),
        ("amanhã tenho consulta", "amanhã = 4 Nov 2026"),
        ("ik ga morgen naar de dokter", "morgen = 4 Nov 2026"),
        ("jutro jadę do Krakowa", "jutro = 4 Nov 2026"),
        ("завтра я еду в Псков", "завтра = 4 Nov 2026"),
        ("yarın doktora gidiyorum", "yarın = 4 Nov 2026"),
        ("明天我去北京", "明天 = 4 Nov 2026"),
        ("来週の火曜日に会います", "来週の火曜日 = 10 Nov 2026"),
    ],
)
def test_resolves(text: str, expected: str) -> None:
    assert [gloss.lower() for gloss in glosses(text)] == [expected.lower()]


@pytest.mark.parametrize(
    "text",
    [
        "Sat down in the sun, and may I say it was hot",
        "May asked whether April is coming",
        "We march every Friday, and on Mondays we rest",
        "page 12, version 3.14, 24.99 each, 0161 496 0203",
        "on the 14th floor",
        "3/4/2026 may be either",
        "In summer I swim in the lake",
        "wait a second",
        "Guten Morgen, jeden Morgen, Freitags bin ich schwimmen",
        "J'habite 14 rue du 8 Mai",
        "Mars est une planète, j'ai été facteur",
        "Por la mañana tomo café",
        "31 February, 30.2.2026, on 99/99",
    ],
)
def test_leaves_out_what_names_no_single_time(text: str) -> None:
    assert glosses(text) == []


def test_order_of_day_and_month_by_the_country() -> None:
    starts = [resolve("on 3/4 we meet", SAID, [tag])[0].start for tag in ("en-US", "en-GB")]
    assert starts == [datetime.date(2027, 3, 4), datetime.date(2027, 4, 3)]


def test_gloss_keeps_the_words_and_the_place() -> None:
    (mention,) = resolve("So, NEXT\nweek then", SAID)
    assert describe(mention) == '"NEXT week" = 9–15 Nov 2026'
    assert (mention.position, mention.phrase, mention.precision) == (4, "NEXT\nweek", "week")


def test_a_question_without_tense_asks_in_both_directions() -> None:
    assert [when(m) for m in asked_about("photos in October", SAID)] == ["Oct 2027", "Oct 2026"]
    assert [when(m) for m in asked_about("Where did I go in October?", SAID)] == ["Oct 2026"]
    assert [when(m) for m in asked_about("who came two weeks ago?", SAID)] == ["19–25 Oct 2026"]


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("I'm in Leeds this week", datetime.date(2026, 11, 8)),
        ("I'm on call until Friday", datetime.date(2026, 11, 6)),
        ("Ich bin für zwei Wochen in Rom", datetime.date(2026, 11, 17)),
        ("tonight I'm at Ben's", SAID),
        ("next week I'm in Leeds", None),
        ("I start at the bakery this week", None),
        ("this week I sold the car", None),
        ("03.11.2026 I'm at the dentist's", None),
        ("I live in Leeds", None),
    ],
)
def test_holds_until(text: str, end: datetime.date | None) -> None:
    assert holds_until(text, SAID) == end


def test_easter() -> None:
    dates = [easter(year).strftime("%d.%m.") for year in (1961, 2000, 2024, 2025, 2026, 2038)]
    assert dates == ["02.04.", "23.04.", "31.03.", "20.04.", "05.04.", "25.04."]


SLOTS = {
    "unit": "unit period", "shift": "unit unit=", "exact": "unit unit=", "span": "unit unit=",
    "for": "unit unit=", "since": "unit unit=", "weekday": "weekday", "season": "season",
    "month": "month monthnumber", "nth": "day nth", "year": "year",
    "numeric": "date shortdate pointdate", "part": "month season year period unit year ’s end",
}  # fmt: skip


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_pattern_has_what_its_meaning_needs(code: str) -> None:
    language(code)
    place = resources.files("ondevice.memory.times") / "languages" / f"{code}.toml"
    data = tomllib.loads(place.read_text("utf-8"))
    for meaning, patterns in [*data["patterns"].items(), *data.get("after", {}).items()]:
        name, *arguments = meaning.split()
        slots = SLOTS.get(name, "").split()
        given = any(argument.startswith("unit=") for argument in arguments)
        for pattern in patterns:
            assert pattern.count("[") == pattern.count("]"), pattern
            assert pattern.count("(") == pattern.count(")"), pattern
            found = set(re.findall(r"\{([a-z]+)", pattern))
            if slots and not (given and "unit=" in slots) and name != "part":
                assert found & set(slots), (meaning, pattern)


ODD = {
    "long word": "a" * 100_000,
    "prefixes": "until " * 20_000,
    "mentions": "Friday " * 15_000,
    "points": "." * 100_000,
    "numbers": "1.1/" * 30_000,
    "marks": "😀\u200d\u0301" * 30_000,
    "dotted": "İ" * 50_000,
    "han": "明天" * 50_000,
    "everything": "".join(map(chr, range(0x3000))),
    "points and a day": "." * 2_000 + " Friday. . " * 100,
    "half a sign": "\ud800 tomorrow",
}


@pytest.mark.parametrize("name", ODD)
def test_odd_input_is_bounded(name: str) -> None:
    began = time.process_time()
    for ask in (resolve, asked_about, holds_until):
        ask(ODD[name], SAID)
    assert time.process_time() - began < 10


def test_nothing_leaves_the_calendar() -> None:
    texts = [
        "yesterday, tomorrow, last week, next month, next year in October, last decade",
        "999 years ago, in 999 decades, since 1800, until 2199, last winter we skied",
        "at Easter, on 29 February, from Monday to Friday, this weekend, last weekend",
        "vor 999 Jahren, bis Ende nächsten Jahres, ١٤ March",
    ]
    moments = [datetime.date.min, datetime.date.max, datetime.datetime(2026, 11, 3, 23, 59)]
    for said in moments:
        for text in texts:
            for mention in [*resolve(text, said), *asked_about(text, said)]:
                assert mention.start <= mention.end
                assert describe(mention)
            holds_until(text, said)


def test_words_in_any_order_never_raise() -> None:
    chance = random.Random(1)
    folder = resources.files("ondevice.memory.times") / "languages"
    words = [
        word
        for code in LANGUAGES
        for word in re.findall(r"[\w']+|[.,/-]", (folder / f"{code}.toml").read_text("utf-8"))
    ]
    words += ["14.3.", "3/14", "2026-02-30", "31", "2019", "29"] * 50
    for _ in range(400):
        text = " ".join(chance.choices(words, k=chance.randint(1, 25)))
        said = datetime.date(chance.choice([1, 2024, 2026, 9999]), chance.randint(1, 12), 28)
        for mention in resolve(text, said, chance.choice([None, ["de"], ["xx"], [], ["en-US"]])):
            assert mention.start <= mention.end
            assert text[mention.position :].startswith(mention.phrase)
