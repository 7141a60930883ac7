"""The rules that find facts in what a person says about themselves, as data: English.

Every pattern stands for a whole clause, so what comes before it ("if", "he
said that", "do you think") already keeps it from matching. Groups: `x` is the
value, `n` the noun it belongs to. The note is written in the third person; the
subject says what it is about ("{n}:name": the name of that relative).

What a note leaves out must be harmless, so a word that stands in no group is one
that the pattern names itself: outside of the groups there is no "any word". What
a note does not say although it may matter is caught by a group of its own, and
the sentence is then kept as it was said: `h` holds what may limit it ("usually",
or any word before "allergic"), `t` only a time or an addition ("currently").
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ondevice.store.records import Category

# A capital letter although the patterns ignore case.
CAPITAL = r"(?-i:[A-ZÀ-ÖØ-Þ])"
NAME = rf"{CAPITAL}[\w'’.-]*(?: (?:{CAPITAL}[\w'’.-]*|de|del|la|von|van|der|den|du|bin|al))*"
NUMBER = r"\d+|one|two|three|four|five|six|seven|eight|nine|ten|twins|triplets|several"

KIN = (
    r"wife|husband|partner|girlfriend|boyfriend|fianc[eé]e?|mother|mom|mum|father|dad|parents?|"
    r"sisters?|brothers?|twin|siblings?|sons?|daughters?|child|children|kids?|baby|babies|"
    r"grandmother|grandma|grandfather|grandpa|grand(?:son|daughter|child|children|kids)|aunts?|"
    r"uncles?|cousins?|nieces?|nephews?|stepmother|stepfather|stepson|stepdaughter|"
    r"(?:mother|father|sister|brother)-in-law|roommates?|flatmates?|neighbou?rs?|boss|manager|"
    r"colleagues?|best friend|friend|therapist|dentist|doctor|landlord|landlady"
)
PETS = (
    r"dogs?|cats?|pupp(?:y|ies)|kittens?|hamsters?|rabbits?|parrots?|horses?|pon(?:y|ies)|"
    r"gold ?fish|fish|turtles?|tortoises?|guinea pigs?|snakes?|lizards?|birds?|budgies?|ferrets?|"
    r"chickens?|hens?|pets?"
)
ILLNESS = (
    r"diabetes|asthma|epilepsy|celiac disease|coeliac disease|arthritis|migraines?|adhd|autism|"
    r"hay fever|high blood pressure|low blood pressure|anxiety|depression|dyslexia|insomnia|"
    r"tinnitus|eczema|psoriasis"
)
DIET = r"vegetarian|vegan|pescatarian|flexitarian|(?:lactose|gluten)[- ]intolerant|teetotal"
STATUS = (
    r"married|single|divorced|widowed|engaged|retired|unemployed|self-employed|pregnant|"
    r"left-handed|right-handed|ambidextrous|colou?r-?blind|blind|deaf|diabetic|asthmatic|"
    r"dyslexic|autistic|bilingual|jewish|muslim|christian|catholic|buddhist|hindu|atheist|"
    r"agnostic|gay|lesbian|bisexual|trans(?:gender)?|non-binary|short-sighted|near-sighted"
)
NATIONALITY = (
    r"american|argentin(?:ian|e)|australian|austrian|belgian|brazilian|british|bulgarian|canadian|"
    r"chilean|chinese|colombian|croatian|czech|danish|dutch|english|estonian|finnish|french|"
    r"german|greek|hungarian|icelandic|indian|indonesian|iranian|irish|israeli|italian|japanese|"
    r"kenyan|korean|latvian|lithuanian|mexican|moroccan|nigerian|norwegian|pakistani|peruvian|"
    r"polish|portuguese|romanian|russian|scottish|serbian|slovak(?:ian)?|slovenian|spanish|"
    r"swedish|swiss|syrian|thai|tunisian|turkish|ukrainian|vietnamese|welsh"
)
JOB = (
    r"(?:\w+[ -]){0,2}?(?:accountant|actor|actress|analyst|apprentice|architect|artist|"
    r"baker|barber|barista|bartender|biologist|bookseller|builder|butcher|carpenter|cashier|chef|"
    r"chemist|cleaner|coach|composer|consultant|cook|dentist|designer|developer|doctor|driver|"
    r"editor|electrician|engineer|farmer|firefighter|florist|gardener|hairdresser|historian|"
    r"illustrator|journalist|judge|lawyer|lecturer|librarian|machinist|manager|mathematician|"
    r"mechanic|midwife|musician|nurse|nurse practitioner|painter|paramedic|pharmacist|"
    r"philosopher|photographer|physicist|physiotherapist|pilot|plumber|police officer|postman|"
    r"potter|professor|programmer|psychologist|receptionist|researcher|sailor|scientist|"
    r"secretary|social worker|soldier|student|surgeon|surveyor|tailor|teacher|therapist|"
    r"translator|tutor|vet|veterinarian|waiter|waitress|welder|writer)"
)

# What "my … is …" may speak of without saying anything lasting about the person.
PASSING_NOUNS = (
    r"question|questions|problem|point|guess|idea|issue|concern|mistake|bad|fault|understanding|"
    r"opinion|view|code|program|script|query|answer|output|input|error|request|turn|favou?rites?|"
    r"first|second|next|last|goal here|prompt|text|essay|translation|hope|feeling|thought|day|"
    r"morning|evening|week|heart|head|stomach|back|mood|life|world|god|goodness|word|argument|"
    r"reason|assumption|impression|suggestion|advice|homework|computer|laptop|internet|screen|"
    r"throat|nose|tooth|leg|arm|knee|only|main|biggest"
)
PASSING_VALUES = (
    r"not|n't|no|never|that|to|how|what|why|whether|when|where|if|because|like|so|too|very|really|"
    r"quite|pretty|rather|just|still|also|currently|about|hardly|barely|going|getting|being|gone|broken|fine|"
    r"ok|okay|good|bad|great|sick|ill|tired|late|here|there|ready|wrong|right|correct|done|dead|"
    r"empty|full|stuck|slow|fast|hot|cold|wet|dirty|ringing|annoying|driving|killing|acting|"
    r"asking|coming|visiting|making|trying|doing|hurting|aching|it|this|these|those|you|your|"
    r"better|worse|happy|sad|angry|mad|upset|crazy|a bit|a little|a mess|in|on|at|out|off|up|down"
)
# Ends of "I like …" that point at the talk itself, not at a taste.
POINTING = (
    r"it|that|this|these|those|them|him|her|you|your|yours|how|what|when|where|why|if|the way|"
    r"the idea|the sound|the look|the first|the second|the last|to think|to know|to see|to say|"
    r"to ask|to hear|to believe|to have|to be able|to get|to point|to add|both|either|neither|"
    r"all of|none|one|some|something|anything|everything|nothing|not|so|too|and|or"
)


@dataclass(frozen=True)
class Rule:
    """One pattern: a clause that matches becomes the note, in a category, about a subject.

    Attributes:
        pattern: stands for a whole clause.
        note: the note, with the groups that it takes up.
        category: one of `facts.CATEGORIES`.
        subject: what the note is about.
        value: what it says of the subject.
        denies: it says that the value does not hold.
        quiet: too common in a talk to be noted unasked; it counts if the person asks for it,
            and to understand what "I don't …" denies.
    """

    pattern: re.Pattern[str]
    note: str
    category: Category
    subject: str
    value: str = "{x}"
    denies: bool = False
    quiet: bool = False


def rule(
    pattern: str,
    note: str,
    category: Category,
    subject: str,
    *,
    value: str = "{x}",
    denies: bool = False,
    quiet: bool = False,
) -> Rule:
    """Return a rule for clauses that match `pattern` as a whole, whatever their case."""
    compiled = re.compile(rf"(?:{pattern})\Z", re.IGNORECASE)
    return Rule(compiled, note, category, subject, value, denies, quiet)


_AM = r"(?:i am|i'm|im)"
_HEDGES = (
    r"usually|generally|always|just|mostly|often|sometimes|occasionally|rarely|seldom|hardly|"
    r"barely|scarcely|only|almost|nearly|probably|possibly|kind of|sort of|secretly|normally|"
    r"typically|mainly|partly|officially|temporarily|never"
)
_OFTEN = rf"(?:(?:really|absolutely|still|definitely|also|do) )*(?P<h>(?:(?:{_HEDGES}) )*)"
_FREQUENT = r"(?:now |still |also |actually )*(?P<t>(?:currently )?)"
_NOW = r"(?:now |still |also |actually )*(?P<t_>(?:currently )?)"  # beside _FREQUENT
_MOVED = r"(?:i|i've|i have) (?:just |recently )?moved(?: back)?"
_MONTH = (
    r"january|february|march|april|may|june|july|august|september|october|november|december|"
    r"spring|summer|autumn|fall|winter"
)
_COUNT = r"\d+|a|an|one|two|three|four|five|six|seven|eight|nine|ten|some|a few|a couple of|many"
_LATELY = (
    rf"(?: (?:last|this) (?:year|month|week|weekend|{_MONTH})| in (?:\d{{4}}|{_MONTH})| recently|"
    rf" (?:{_COUNT}) (?:years?|months?|weeks?|days?) ago)?"
)
_VALUE = r"(?P<x>\S.*)"

ENGLISH = (
    # names
    rule(rf"my (?:full |first |real |given )?name is (?P<x>{NAME})", "The user's name is {x}.",
         "demographic", "name"),
    rule(rf"(?:please |just |you can |you may |(?:my |all )?(?:friends|people|everyone) )*"
         rf"calls? me (?P<x>{NAME})", "The user's name is {x}.", "demographic", "name"),
    rule(rf"{_AM} called (?P<x>{NAME})", "The user's name is {x}.", "demographic", "name"),
    rule(rf"my pronouns are {_VALUE}", "The user's pronouns are {x}.", "demographic", "pronouns"),
    # relatives, friends and pets
    rule(rf"my (?P<n>(?:\w+ )?(?:{KIN}))(?:(?:'s|’s) name is| is called| is named| is) "
         rf"(?P<x>{NAME})", "The user's {n} is called {x}.", "relationship", "{n}:name"),
    rule(rf"my (?P<n>(?:\w+ )?(?:{PETS}))(?:(?:'s|’s) name is| is called| is named| is) "
         rf"(?P<x>{NAME})", "The user's {n} is called {x}.", "relationship", "{n}:name"),
    rule(rf"my (?P<n>(?:\w+ )?(?:{KIN}|{PETS}))(?:(?:'s|’s|s'|s’) names are| are called| are named|"
         rf" are) (?P<x>{NAME}.*)", "The user's {n} are called {x}.", "relationship", "{n}:name"),
    rule(r"my (?P<n>[a-z]+(?: [a-z]+)?)(?:(?:'s|’s) name is| is called| is named) "
         rf"(?P<x>{NAME})", "The user's {n} is called {x}.", "relationship", "{n}:name"),
    rule(rf"i (?:have|have got|'ve got|own) an? (?P<n>(?:\w+ )?(?:{PETS}|{KIN}))"
         rf"(?: (?:called|named)|,? (?:his|her|its) name is|,) (?P<x>{NAME})",
         "The user has a {n} called {x}.", "relationship", "{n}:name"),
    rule(rf"(?:i have|i have got|i've got|i own) (?P<x>(?:an?|{NUMBER}) "
         rf"(?:\w+ )?(?P<n>{PETS}|{KIN})(?: and (?:an?|{NUMBER}) (?:{PETS}|{KIN}))?)",
         "The user has {x}.", "relationship", "has {n}"),
    rule(rf"{_AM} {_FREQUENT}married to (?P<x>{NAME})", "The user is married to {x}.",
         "relationship", "status marital", value="married to {x}"),
    # where
    rule(rf"(?:i {_FREQUENT}live|{_AM} {_NOW}living) in (?!fear|hope|hell|pain|peace|the past|"
         r"the moment)(?P<x>\S.*)", "The user lives in {x}.", "demographic", "{x|home}",
         value="{x|place}"),
    rule(rf"{_MOVED} to (?P<x>{NAME}){_LATELY}", "The user lives in {x}.", "demographic",
         "{x|home}", value="{x|place}"),
    rule(rf"{_MOVED} from (?P<from>{NAME}) to (?P<x>{NAME}){_LATELY}|"
         rf"{_MOVED} to (?P<y>{NAME}) from (?P<from_>{NAME}){_LATELY}",
         "The user lives in {x} and moved there from {from}{from_}.", "demographic", "{x|home}",
         value="{x|place}"),
    rule(rf"(?:{_AM} (?:originally )?|i (?:originally )?come )from (?P<x>{NAME})",
         "The user is from {x}.", "demographic", "origin"),
    rule(rf"i was born in (?P<x>{NAME}|\d{{4}}.*)", "The user was born in {x}.", "demographic",
         "birth {x|kind}"),
    rule(rf"my birthday is (?:on (?:the )?|in )?(?!not |today|tomorrow|coming|soon){_VALUE}",
         "The user's birthday is {x}.", "demographic", "birthday"),
    rule(rf"i was born on (?:the )?{_VALUE}", "The user's birthday is {x}.",
         "demographic", "birthday"),
    rule(rf"i grew up in (?P<x>{NAME})", "The user grew up in {x}.", "demographic", "grew up"),
    # work and study
    rule(rf"(?:i {_FREQUENT}work|{_AM} {_NOW}working) as (?P<x>an? \S.*)",
         "The user works as {x}.", "demographic", "job"),
    rule(rf"(?:i {_FREQUENT}work|{_AM} {_NOW}(?:working|employed)) (?P<p>at|for|by) "
         r"(?!home|night|it|this|that|the moment|least|my|your)(?P<x>\S.*)",
         "The user works {p} {x}.", "demographic", "employer"),
    rule(rf"(?:i {_FREQUENT}work|{_AM} {_NOW}working) in (?!progress|the evening|the morning)"
         r"(?P<x>\S.*)", "The user works in {x}.", "demographic", "work field"),
    rule(rf"{_AM} {_FREQUENT}an? (?P<x>{JOB}(?: (?:at|in|for|of|from) .*)?)", "The user is a {x}.",
         "demographic", "{x|calling}"),
    rule(rf"(?:i {_FREQUENT}study|{_AM} {_NOW}studying) (?!for|hard|a lot|this|that|it|how)"
         r"(?P<x>\S.*)", "The user studies {x}.", "demographic", "study"),
    rule(rf"{_AM} {_FREQUENT}learning (?!about|how|that|a lot|it|this|to)(?P<x>\S.*)",
         "The user is learning {x}.", "context", "learning"),
    # the person
    rule(rf"{_AM} (?P<x>\d{{1,3}}) years old|{_AM} (?P<y>\d{{2}})|my age is (?P<z>\d{{1,3}})",
         "The user is {x} years old.", "demographic", "age"),
    rule(rf"{_AM} {_FREQUENT}(?:an? )?(?P<x>(?:strict )?(?:{DIET}))", "The user is {x}.",
         "preference", "{x|diet-kind}"),
    rule(rf"{_AM} {_FREQUENT}(?P<x>{NATIONALITY})", "The user is {x|capital}.", "demographic",
         "nationality"),
    rule(rf"{_AM} {_FREQUENT}(?P<x>{STATUS})", "The user is {x}.", "demographic",
         "status {x|status}"),
    rule(r"(?:i|i've|i have) (?:just |recently )?(?:gotten|got) "
         rf"(?P<x>(?:re)?married|divorced|engaged|widowed){_LATELY}", "The user got {x}.",
         "demographic", "status {x|status}"),
    rule(r"my (?P<n>husband|wife) and i (?:are|got) (?P<x>divorced)",
         "The user is {x} from their {n}.", "demographic", "status marital"),
    rule(rf"{_AM} {_FREQUENT}(?P<x>divorced) from (?P<w>(?:my|their) (?:husband|wife))",
         "The user is {x} from {w}.", "demographic", "status marital"),
    rule(rf"{_AM} (?P<h>(?:\w+ )?)allergic to (?P<x>\S.*)|"
         r"i have an? (?P<h_>(?:\w+ )?)(?P<y>\S+) allergy",
         "The user is allergic to {x}.", "demographic", "allergy {x}"),
    rule(rf"i (?:have|suffer from) (?P<x>(?:type [12] )?(?:{ILLNESS}))", "The user has {x}.",
         "demographic", "has {x}"),
    rule(rf"{_AM} (?:a|an) (?:big |huge |great )?(?P<h>(?:\w+ )?)fan of {_VALUE}",
         "The user is a fan of {x}.", "preference", "taste {x}", value="like"),
    rule(rf"{_AM} {_FREQUENT}(?P<a>an?) (?!bit|little|lot|few|fan|mess|bad|good|idiot|loser|big|"
         r"huge|total|complete|second|minute|beginner here|person who|member|failure|fool|step|"
         r"week|day|month|year|firm|strong)(?P<x>[\w-]+(?: (?!who|that|and)[\w-]+){0,5})",
         "The user is {a} {x}.", "demographic", "is {x}"),
    rule(rf"i (?:can |also )*speak (?P<x>{CAPITAL}.*)", "The user speaks {x}.", "demographic",
         "speaks {x}"),
    rule(rf"i {_OFTEN}play (?P<x>(?:the |in an? )?[\w-]+(?: [\w-]+)?)", "The user plays {x}.",
         "context", "plays {x}"),
    rule(rf"i {_OFTEN}drive (?P<x>an? \S.*)", "The user drives {x}.", "context", "car"),
    # tastes
    rule(rf"my favou?rite (?P<n>[\w-]+(?: [\w-]+){{0,2}}) (?P<v>is|are) "
         rf"(?!(?:not|no longer|never)\b){_VALUE}", "The user's favourite {n} {v} {x}.",
         "preference", "favourite {n}"),
    rule(rf"i {_OFTEN}prefer (?!(?:{POINTING})\b){_VALUE}", "The user prefers {x}.", "preference",
         "prefers {x|sorted}"),
    rule(rf"i {_OFTEN}(?P<v>like|love|enjoy|adore|hate|dislike|detest|loathe) "
         rf"(?!(?:{POINTING})\b){_VALUE}", "The user {v}s {x}.", "preference", "taste {x}",
         value="{v|polarity}"),
    rule(rf"i {_OFTEN}(?:can't|can’t|cannot) stand (?!(?:{POINTING})\b){_VALUE}",
         "The user can't stand {x}.", "preference", "taste {x}", value="dislike"),
    rule(r"i smoke", "The user smokes.", "preference", "taste smoke", value="have"),
    rule(r"i (?P<x>drink|drive|eat|enjoy|like)", "The user {x}s.", "preference", "taste {x}",
         value="have", quiet=True),
    rule(rf"i (?:really )?(?P<v>eat|drink|smoke|drive) (?!(?:{POINTING})\b){_VALUE}",
         "The user {v}s {x}.", "preference", "taste {x}", value="have", quiet=True),
    # everything else that is mine
    rule(rf"my (?P<n>(?!(?:{PASSING_NOUNS})\b)[a-z-]+(?: (?!is\b|are\b)[a-z-]+)?) is "
         rf"(?!(?:{PASSING_VALUES})\b)(?![\w-]+ing\b)(?P<x>\S.*)", "The user's {n} is {x}.",
         "other", "{n}:"),
)  # fmt: skip
