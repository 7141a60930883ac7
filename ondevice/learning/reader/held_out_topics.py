"""What a reader is measured on: other facts, questions and wordings than it learned with."""

from __future__ import annotations

from ondevice.learning.reader.statements import Attribute, attribute

RELATIONS = (
    "aunt", "uncle", "cousin", "niece", "nephew", "roommate", "colleague", "grandmother",
    "grandfather", "tennis partner",
)  # fmt: skip

_NAMED = {
    "parrot": "Who talks back to me from the cage?",
    "rabbit": "Who eats all my carrots?",
    "canary": "Who sings in my living room?",
    "aunt": "Which relative should I phone about my mother's childhood?",
    "uncle": "Whom did my cousins call Dad?",
    "cousin": "With whom do I share my grandparents?",
    "niece": "Who is the little girl of my sibling?",
    "roommate": "With whom do I share the bathroom?",
    "piano teacher": "Who corrects my scales?",
    "accountant": "I have a question about my taxes. Whom do I call?",
    "lawyer": "I got sued. Whose advice do I need?",
    "babysitter": "Who watches the children when I go out?",
    "plumber": "There is water all over my kitchen floor. Who can help me?",
    "tortoise": "Who sleeps in a box in my cellar all winter?",
    "grandmother": "Who is the mother of my mother?",
}

_NAMED_STATES = (
    "The name of {p} NOUN is {x}. / {p} NOUN is named {x}. / {s} [has|have] a NOUN named {x}."
)
_NAMED_ASKS = """How is {p} NOUN called? / Which name does {p} NOUN have? / Tell me the name of {p} NOUN. /
    I cannot recall how {p} NOUN is named. Can you? / What did I say {p} NOUN was named?"""

_POSSESSIVE = {
    "favourite flower": ("flower", "Which bouquet would make me smile?"),
    "favourite film": ("title", "What should we watch to please me tonight?"),
    "favourite fruit": ("fruit", "What would I take from the fruit bowl first?"),
    "favourite pastime": ("hobby", "What would I do on a day off?"),
    "favourite country": ("country", "Which place on the globe do I like most?"),
    "customer number": ("code", "The hotline wants to identify me. What do I say?"),
    "hotel room": ("room", "I am in the hotel lift with my bag. Which door is mine?"),
    "salary": ("money", "What lands on my account each month?"),
    "name day": ("date", "On which day of the calendar is my saint celebrated?"),
    "weight": ("kilograms", "What do the scales show when I step on them?"),
    "door code": ("pin", "I am standing outside my building. What do I enter on the keypad?"),
    "collar size": ("size", "I am ordering a shirt online. What do I choose?"),
    "bank": ("company", "Who looks after my money?"),
    "graduation year": ("year", "When did I leave university with my degree?"),
    "summer address": ("address", "Where can letters reach me in July?"),
    "pen name": ("full_name", "Which author is printed on my books?"),
    "emergency contact": ("full_name", "Who must be told if I have an accident?"),
    "second language": ("language", "What else can I talk in besides my first one?"),
}  # fmt: skip

_POSSESSIVE_STATES = "{p} NOUN: {x}. / As for {p} NOUN, it is {x}."
_POSSESSIVE_ASKS = """Tell me {p} NOUN. / I forgot {p} NOUN. Which is it? / Could you look up {p} NOUN? /
    Please repeat {p} NOUN. / Which NOUN is {p}? / What did I tell you about {p} NOUN?"""
_POSSESSIVE_ASKS = _POSSESSIVE_ASKS.replace("Which NOUN is {p}? / ", "")

_SENTENCES = (
    attribute("cottage", "city", "{s} [has|have] a cottage near {x}. / {p} cottage stands near {x}.",
        "Where is {p} cottage? / Near which town is {p} cottage?", "Where do I go when I want to get out of the flat for the summer?"),
    attribute("honeymoon", "country", "{s} went to {x} for the honeymoon.",
        "Where did {s} go for the honeymoon? / Which country was {p} honeymoon in?", "Where did I travel right after my wedding?"),
    attribute("first job", "job", "{p} first job was as a {x}. / {s} started out as a {x}.",
        "What was {p} first job? / As what did {s} start out?", "How did I earn my very first wages?"),
    attribute("doctorate", "subject", "{s} [has|have] a doctorate in {x}. / {s} wrote {p} thesis in {x}.",
        "In which field is {p} doctorate? / What did {s} write {p} thesis in?", "Which department gave me the title of doctor?"),
    attribute("choir", "weekday", "{s} [sings|sing] in a choir on {x}.",
        "On which day is {p} choir? / When is {p} choir practice?", "When should I rest my voice beforehand?"),
    attribute("passport", "place", "{p} passport is {x}. / {s} put the passport {x}.",
        "Where did {s} put the passport? / Where can {p} passport be found?", "I leave for the border in an hour. Where is my document?", own=True),
    attribute("toolbox", "place", "{p} toolbox is {x}. / {s} [stores|store] the toolbox {x}.",
        "Where is {p} toolbox? / Where did {s} store the toolbox?", "I need a hammer. Where do I look?"),
    attribute("alarm", "time", "{p} alarm rings at {x}. / {s} [gets|get] up at {x}.",
        "At what time does {p} alarm ring? / When [does|do] {s} get up?", "When does my day begin?"),
    attribute("podcast", "title", "{s} [listens|listen] to the podcast {x}.",
        "Which podcast [does|do] {s} listen to? / What is {p} podcast?", "What is playing in my headphones on the way to work?"),
    attribute("boat", "pet_name", "{s} [sails|sail] a boat named {x}.",
        "Which boat [does|do] {s} sail? / What is written on {p} boat?", "What did I paint on the bow?"),
    attribute("plants", "fruit", "{s} [has|have] planted {x} in the garden.",
        "What [has|have] {s} planted in the garden? / What grows in {p} garden?", "What will I harvest behind the house?"),
    attribute("breakfast", "food", "{s} [eats|eat] {x} for breakfast.",
        "What [does|do] {s} eat for breakfast? / What is {p} breakfast?", "What do I have on the table first thing in the morning?"),
    attribute("volunteer", "company", "{s} [volunteers|volunteer] for {x}.",
        "For whom [does|do] {s} volunteer? / Where [does|do] {s} volunteer?", "Who gets my unpaid help at weekends?"),
    attribute("intolerance", "allergen", "{s} cannot tolerate {x}.",
        "What can {s} not tolerate? / Which thing [does|do] {s} not tolerate?", "What makes me ill?"),
    attribute("bike", "colour", "{s} [rides|ride] a bicycle painted {x}.",
        "Which colour is {p} bicycle? / How is {p} bicycle painted?", "How will I recognise my two wheels at the station?"),
    attribute("band", "instrument", "In the band, {s} [is|am|are] on the {x}.",
        "What [is|am] {s} on in the band? / With which instrument [is|am] {s} in the band?", "What do I carry onto the stage?"),
    attribute("retirement", "year", "{s} [retires|retire] in {x}.",
        "When [does|do] {s} retire? / In which year [does|do] {s} retire?", "Until when must I go to work?"),
    attribute("rental", "car", "{s} [has|have] rented a {x} for the holidays.",
        "Which car [has|have] {s} rented? / What did {s} rent for the holidays?", "Which keys do I get at the rental desk?"),
    attribute("resolution", "goal", "This year {s} [plans|plan] to {x}.",
        "What [does|do] {s} plan this year? / What is {p} plan for the year?", "What did I promise myself on New Year's Eve?"),
    attribute("rehearsal", "date", "{p} rehearsal takes place on {x}.",
        "When does {p} rehearsal take place? / On which date is {p} rehearsal?", "When must I know my lines?"),
    attribute("pupil", "age", "{p} class has {x} pupils.",
        "How many pupils are in {p} class? / How large is {p} class?", "How many exercise books do I have to correct?"),
)  # fmt: skip


def _named(noun: str, hints: str) -> Attribute:
    kind = "pet_name" if noun in ("parrot", "rabbit", "canary", "tortoise") else "name"
    return attribute(
        f"{noun} name",
        kind,
        _NAMED_STATES.replace("NOUN", noun),
        _NAMED_ASKS.replace("NOUN", noun),
        hints,
    )


def _possessive(noun: str, kind: str, hints: str) -> Attribute:
    return attribute(
        noun,
        kind,
        _POSSESSIVE_STATES.replace("NOUN", noun),
        _POSSESSIVE_ASKS.replace("NOUN", noun),
        hints,
    )


ATTRIBUTES: tuple[Attribute, ...] = (
    *(_named(noun, hints) for noun, hints in _NAMED.items()),
    *(_possessive(noun, kind, hints) for noun, (kind, hints) in _POSSESSIVE.items()),
    *_SENTENCES,
)

CARRIERS = (
    "{Q}", "{Q}", "{Q}", "Quick question: {q}", "Hello. {Q}", "My memory is bad today. {Q}",
    "Can you help me? {Q}", "Before I go: {q}",
)  # fmt: skip

CHANGES = ("From now on, {new_}", "Things are different now: {new_}", "Lately {new_}", "New: {new}")
TOLD = ("Listen, {new_}", "I want you to know something. {new}", "For your information: {new}")
TOLD_CHANGED = ("This is new: {new}", "I must correct myself. {new}", "Not true any longer! {new}")
NOTED = ("All right, I have it: {answer}",)

# What says something about each other: if one is known, the other is not simply unknown.
ALIKE = (
    frozenset({"intolerance", "breakfast"}),
    frozenset({"first job", "doctorate", "graduation year", "retirement"}),
    frozenset({"favourite country", "honeymoon", "cottage", "summer address"}),
    frozenset({"emergency contact", "roommate name"}),
    frozenset({"favourite fruit", "plants", "favourite flower"}),
    frozenset({"favourite pastime", "band", "choir", "rehearsal"}),
    frozenset({"boat", "rental", "bike"}),
    frozenset({"aunt name", "uncle name", "cousin name", "niece name", "grandmother name"}),
)
