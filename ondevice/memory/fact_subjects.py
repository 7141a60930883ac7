"""What a fact is about, and which newer fact replaces which older one.

A fact is about an attribute of somebody: the person, or a relative or pet of
theirs. It replaces another only on the same attribute of the same one, and
only if the two cannot both hold: the attribute has one value at a time (the
table below says which do), or the one denies just what the other says. What
the table does not know replaces nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ondevice.memory.fact_rules import KIN, NAME, PETS

# Attributes that have one value at a time, of whomever.
_ONE_VALUE = frozenset(
    {"name", "pronoun", "home", "home country", "birthday", "birth year", "age", "job", "employer",
     "diet", "status marital"}
)  # fmt: skip
# Attributes that name what they are about ("taste tea"), so that one thing has one value.
_ONE_EACH = ("favourite ", "prefer ")
_OPPOSITES = ("like", "dislike")  # of a taste; whoever likes meat may not eat it
# The last word of what is the person's own ("my wifi code") and has one value at a time.
_OWN_ONE_VALUE = frozenset(
    {"address", "age", "birthday", "code", "colour", "email", "employer", "height", "job", "name",
     "nickname", "number", "password", "phone", "pin", "postcode", "profession", "salary", "size",
     "surname", "timezone", "title", "type", "username", "weight"}
)  # fmt: skip
# Of these a person has one; of sisters, friends and dogs there may be others.
_ONLY_ONE_WORDS = """
    wife husband partner fiance fiancé fiancee fiancée mother mom mum father dad boss
    landlord landlady mother-in-law father-in-law"""
_ONLY_ONE = frozenset(_ONLY_ONE_WORDS.split())
_COUNTED = re.compile(r"(?:[2-9]|\d{2,}|two|three|four|five|six|seven|eight|nine|ten)\b")
_SOMEBODY = re.compile(
    rf"(?:[\w-]+ )?(?:{KIN}|{PETS})(?P<name> (?-i:[A-ZÀ-Þ])[\w'-]*)?\Z", re.IGNORECASE
)
# A word of these in a value says that it does not simply hold.
_LIMIT_WORDS = """
    not never no only sometimes often rarely hardly barely seldom almost nearly mostly usually
    partly half maybe perhaps probably possibly except unless until if when while during before
    after but or too once temporarily officially weekends former retired ex aspiring future
    would-be wannabe amateur hobby failed previous volunteer trainee unemployed budding
    occasional part-time nicht kein keine nie kaum nur manchmal oft selten fast meistens wenn bis
    außer aber oder nunca no apenas solo sólo casi veces si cuando hasta pero salvo excepto
    on over besides alongside beside nebenbei neben vorerst momentan zurzeit durante"""
_LIMITS = frozenset(_LIMIT_WORDS.split())
# After the first word of a value they say that it holds for a time, or at some times.
_TIME_WORDS = """
    now today tonight tomorrow week weekend weekday month year day daytime morning afternoon
    evening night spring summer autumn fall winter season term semester holiday vacation christmas
    monday tuesday wednesday thursday friday saturday sunday january february march april may june
    july august september october november december jetzt heute woche wochen wochenende monat
    monate jahr tag tage morgen abend abends nacht nachts frühling sommer herbst ferien montag
    dienstag mittwoch donnerstag freitag samstag sonntag montags dienstags mittwochs donnerstags
    freitags samstags sonntags januar februar märz mai juni juli oktober dezember ahora hoy semana
    mes meses año día tarde noche mañana verano invierno otoño primavera temporada lunes martes
    miércoles jueves viernes sábado domingo enero febrero marzo abril mayo junio julio agosto
    septiembre octubre noviembre diciembre"""
_TIMES = frozenset({"birthday", "birth year", "age"})  # attributes whose value is a time
_PLAIN_WORDS = 6  # of a value; longer ones say more than the attribute

_COUNTRY_NAMES = """
    albania, algeria, argentina, argentinien, australia, australien, austria, österreich, belgium,
    belgien, bélgica, bolivia, bosnia, brazil, brasilien, brasil, bulgaria, bulgarien, cameroon,
    canada, kanada, canadá, chile, china, colombia, kolumbien, costa rica, croatia, kroatien,
    cuba, cyprus, czechia, tschechien, denmark, dänemark, dinamarca, ecuador, egypt, ägypten,
    egipto, england, estonia, estland, ethiopia, finland, finnland, finlandia, france, frankreich,
    francia, georgia, germany, deutschland, alemania, ghana, greece, griechenland, grecia,
    guatemala, hungary, ungarn, hungría, iceland, island, india, indien, indonesia, iran, iraq,
    ireland, irland, irlanda, israel, italy, italien, italia, jamaica, japan, japón, kenya,
    korea, latvia, lettland, lebanon, lithuania, litauen, luxembourg, luxemburg, malaysia, malta,
    mexico, mexiko, méxico, morocco, marokko, marruecos, nepal, netherlands, holland, niederlande,
    new zealand, neuseeland, nicaragua, nigeria, norway, norwegen, noruega, pakistan, panama,
    paraguay, peru, perú, philippines, poland, polen, polonia, portugal, romania, rumänien,
    russia, russland, scotland, schottland, senegal, serbia, serbien, singapore, slovakia,
    slowakei, slovenia, slowenien, south africa, südafrika, south korea, spain, spanien, españa,
    sri lanka, sweden, schweden, suecia, switzerland, schweiz, suiza, syria, taiwan, tanzania,
    thailand, tunisia, tunesien, turkey, türkei, turquía, uganda, ukraine, united kingdom, uk,
    united states, usa, us, uruguay, venezuela, vietnam, wales, europe, europa, asia, africa,
    america, bavaria, bayern, scandinavia"""
_ARTICLE_WORDS = "a an the my their user der die das el la los las"
_ARTICLES = frozenset(_ARTICLE_WORDS.split())


@dataclass(frozen=True)
class About:
    """What a fact says of whom: `value` of the `attribute` of `entity` ("" is the person).

    `known`: the entity is told from others of its kind by its name. `detail`: the value with all
    that was said beside it. `loose`: there is a remark in it.
    """

    entity: str
    attribute: str
    value: str
    denies: bool = False
    known: bool = False
    detail: str = ""
    loose: bool = False

    @property
    def label(self) -> str:
        """The subject that is stored with the fact, such as "sister name"."""
        return f"{self.entity} {self.attribute}".strip()

    @property
    def single(self) -> bool:
        """Whether this attribute of this entity has one value at a time."""
        if self.attribute.startswith(_ONE_EACH):
            return not _is_for_a_time(self.value)
        if self.attribute.startswith("taste "):
            return self.value in _OPPOSITES
        if self.loose or not _is_plain(self.value):
            return False
        if self.attribute not in _TIMES and _is_for_a_time(self.value):
            return False
        if self.entity:
            return (self.known or self.entity in _ONLY_ONE) and self.attribute in _ONE_VALUE
        if self.attribute.startswith("has "):
            return _COUNTED.match(self.value) is not None
        own = self.attribute.rsplit(" ", 1)[-1] in _OWN_ONE_VALUE
        return self.attribute in _ONE_VALUE or own

    def replaces(self, older: About) -> bool:
        """Whether a fact about this makes an older one, about `older`, no longer true."""
        if self.label != older.label:
            return False
        covered = older.value == self.value or older.value.startswith(f"{self.value} ")
        if self.denies:
            return covered
        if older.denies:
            return older.value == self.value
        more = older.detail != self.detail and older.detail.startswith(self.detail)
        if covered and (more or older.value != self.value):
            return False  # the older one says it more exactly
        return older.value == self.value or (self.single and older.single)


def about_somebody(noun: str, attribute: str, value: str) -> About:
    """Return what is said of "my `noun`": of a relative or pet, or of something one has."""
    entity = normal(noun)
    somebody = _SOMEBODY.match(noun)
    known = somebody is not None and somebody["name"] is not None
    if attribute:
        return About(entity, normal(attribute), normal(value), known=known)
    return About("", entity, normal(value))


def is_somebody(noun: str) -> bool:
    """Whether "my `noun`" is a relative, a friend or a pet."""
    return _SOMEBODY.match(noun) is not None


def place_kind(place: str) -> str:
    """Return which attribute "lives in `place`" is about: a country and a town both hold."""
    name = place_name(place)
    if not re.fullmatch(NAME, name):
        return "dwelling"
    return "home country" if normal(name) in _COUNTRIES else "home"


def place_name(place: str) -> str:
    """Return the name that a place begins with, if what is said after it does not limit it."""
    named = re.match(NAME, place.removeprefix("the "))
    if named is None:
        return place
    rest = place.removeprefix("the ")[named.end() :]
    company = re.fullmatch(
        r"(?:,? (?:with|together with|mit|con) (?:my|their|meine[mnr]?|mi|mis) [\w-]+(?: [\w-]+)?"
        r"|,? (?:in )?(?:the )?(?-i:[A-ZÀ-Þ])[\w' -]*| and moved there from .*"
        r"|,? (?:because|which|where|who|since|weil|da|wo|porque|donde)\b.*)?",
        rest,
    )
    return named[0] if company else place


def normal(words: str) -> str:
    """Return words without articles and possessives, in one spelling, plural or not."""
    low = words.lower().replace("favorite", "favourite").replace("color", "colour")
    kept = [word for word in re.findall(r"[\w-]+", low) if word not in _ARTICLES]
    return " ".join(
        word[:-1]
        if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us"))
        else word
        for word in kept
    )


def _is_plain(value: str) -> bool:
    words = value.split()
    return len(words) <= _PLAIN_WORDS and not _LIMITS.intersection(words)


def _is_for_a_time(value: str) -> bool:
    return not _FOR_A_TIME.isdisjoint(value.split()[1:])


_FOR_A_TIME = frozenset(normal(word) for word in _TIME_WORDS.split())
_COUNTRIES = frozenset(normal(name) for name in " ".join(_COUNTRY_NAMES.split()).split(","))
