"""What a reader learns with: facts about people, the questions for them, and wordings.

Nothing of this occurs in `held_out_topics`, which it is measured on.
"""

from __future__ import annotations

from dataclasses import replace

from ondevice.learning.reader import families
from ondevice.learning.reader.hints import HINTS
from ondevice.learning.reader.statements import Attribute, attribute

RELATIONS = (
    "sister", "brother", "mother", "father", "wife", "husband", "son", "daughter", "best friend",
    "boss", "neighbour",
)  # fmt: skip

_SENTENCES = (
    attribute("home", "city", "{s} [lives|live] in {x}. / {s} [is|am|are] living in {x}.",
        "Where [does|do] {s} live? / Which city [does|do] {s} live in? / In which town [is|am] {s} living?",
        "Which town hall issues my papers? / I am on the train home. Where do I get off? / What should I enter as my place of residence?"),
    attribute("birthplace", "city", "{s} [was|was|were] born in {x}.",
        "Where [was|was] {s} born? / In which city [was|was] {s} born?",
        "Which place is written in my birth certificate?"),
    attribute("instrument", "instrument", "{s} [plays|play] the {x}.",
        "Which instrument [does|do] {s} play? / What instrument [does|do] {s} play?",
        "What would I bring to a jam session? / Which sheet music should I buy for myself?"),
    attribute("learning", "language", "{s} [is|am|are] learning {x}.",
        "Which language [is|am] {s} learning? / What [is|am] {s} learning?",
        "Which dictionary would help me with my lessons? / I want to practise vocabulary. In which language?"),
    attribute("allergy", "allergen", "{s} [is|am|are] allergic to {x}.",
        "What [is|am] {s} allergic to? / Which allergy [does|do] {s} have?",
        "What must a doctor know before treating me? / What must not come near me?"),
    attribute("car", "car", "{s} [drives|drive] a {x}.",
        "Which car [does|do] {s} drive? / What kind of car [does|do] {s} have?",
        "Which vehicle should I look for in the car park?"),
    attribute("studies", "subject", "{s} [studies|study] {x}.",
        "What [does|do] {s} study? / Which subject [does|do] {s} study?",
        "Which lectures do I go to?"),
    attribute("age", "age", "{s} [is|am|are] {x} years old.",
        "How old [is|am] {s}? / What is {p} age?", "How many candles belong on my cake?"),
    attribute("dentist appointment", "time", "{s} [has|have] a dentist appointment at {x}.",
        "When is {p} dentist appointment? / At what time [is|am] {s} at the dentist?",
        "When must I sit in the chair with my mouth open?"),
    attribute("fear", "fear", "{s} [is|am|are] afraid of {x}.",
        "What [is|am] {s} afraid of? / What [does|do] {s} fear?", "What gives me nightmares?"),
    attribute("travel", "country", "{s} [is|am|are] planning a trip to {x}. / {s} [wants|want] to travel to {x}.",
        "Where [does|do] {s} want to travel? / Which trip [is|am] {s} planning?",
        "Which travel guide should I buy?"),
    attribute("flight", "code", "{s} [has|have] a seat on flight {x}.",
        "Which flight [is|am] {s} on? / What is the number of {p} flight?",
        "I am at the airport. Which line on the board is mine?"),
    attribute("commute", "transport", "{s} [goes|go] to work {x}.",
        "How [does|do] {s} get to work? / How [does|do] {s} go to work?", "How do I reach my office?"),
    attribute("pets", "pet_kind", "{s} [has|have] {x}. / {s} [owns|own] {x}.",
        "Which pets [does|do] {s} have? / What animals [does|do] {s} have?",
        "Who needs feeding while I am on holiday?"),
    attribute("collects", "flower", "{s} [grows|grow] {x} on the balcony.",
        "What [does|do] {s} grow on the balcony? / Which flowers [does|do] {s} grow?",
        "What must be watered outside my window?"),
    attribute("married", "name", "{s} [is|am|are] married to {x}.",
        "Who [is|am] {s} married to? / What is the name of {p} spouse?", "Who wears the other wedding ring?"),
    attribute("loan", "money", "{s} [owes|owe] the bank {x}.",
        "How much [does|do] {s} owe the bank? / How large is {p} debt?", "What do I still have to pay back?"),
    attribute("train time", "time", "{s} [takes|take] the train at {x} every morning.",
        "When does {p} train leave? / Which train [does|do] {s} take?", "By when must I be at the station?"),
    attribute("gift for me", "gift", "{s} [wishes|wish] for {x}. / {s} [wants|want] {x} for Christmas.",
        "What [does|do] {s} wish for? / What [does|do] {s} want for Christmas?", "What present would delight me?"),
    attribute("fan", "team", "{s} [is|am|are] a fan of {x}.",
        "Which team [is|am] {s} a fan of? / Which team [does|do] {s} support?", "Whose scarf do I wear at the stadium?"),
    attribute("grew up", "city", "{s} grew up in {x}.",
        "Where did {s} grow up? / In which city did {s} spend {p} childhood?", "Where did I go to school as a child?"),
    attribute("reads", "genre", "{s} mostly [reads|read] {x}.",
        "What [does|do] {s} mostly read? / Which kind of books [does|do] {s} read?", "Which shelf in the bookshop is mine?"),
    attribute("cooks", "food", "{s} [cooks|cook] {x} every Sunday.",
        "What [does|do] {s} cook every Sunday? / What [does|do] {s} cook on Sundays?", "What smells so good in my kitchen at the weekend?"),
    attribute("hospital", "room", "{s} [is|am|are] in hospital, in room {x}.",
        "Which room in the hospital [is|am] {s} in? / In which room of the hospital [is|am] {s}?", ""),
    attribute("met", "city", "{s} met {p} best friend in {x}.",
        "Where did {s} meet {p} best friend? / In which city did {s} meet {p} best friend?", "Where did my greatest friendship begin?"),
)  # fmt: skip


ATTRIBUTES: tuple[Attribute, ...] = tuple(
    replace(one, hints=(*one.hints, *HINTS.get(one.key, ())))
    for one in (*families.ATTRIBUTES, *_SENTENCES)
)

# How a question may be wrapped; `{q}` is the question, `{Q}` with a capital letter.
CARRIERS = (
    "{Q}", "{Q}", "{Q}", "{Q}", "{Q}", "{Q}", "{Q}", "{Q}", "Hi! {Q}", "One more thing: {q}",
    "Sorry, {q}", "Hey, {q}", "I keep forgetting things. {Q}", "Okay. {Q}", "Thanks. And {q}",
    "{Q} Please be brief.", "Good morning! {Q}", "Let me test you. {Q}", "Something else: {q}",
    "A friend asked me about it today. {Q}", "I am in a hurry. {Q}", "{Q} I really can't recall.",
    "Well, {q}", "Now tell me: {q}", "You know me by now. {Q}", "{Q} Thanks!", "Wait, {q}",
    "I am filling in a form. {Q}", "It is late and I am tired. {Q}", "Next question: {q}",
)  # fmt: skip

# An older statement and a newer one, said in so many words; `{old}` and `{new}` are sentences.
CHANGES = (
    "It is no longer true that {old_}; now {new_}",
    "Update: {new}",
    "Since last month, {new_}",
    "Correction: {new}",
    "As of this week, {new_}",
)
# How the user says during a chat that something is so.
TOLD = (
    "By the way, {new_}",
    "You should know this: {new}",
    "{new}",
    "Please remember: {new}",
    "Just so you know, {new_}",
)
TOLD_CHANGED = (
    "Something has changed: {new}",
    "That is not right any more. {new}",
    "I have news: {new}",
    "Forget what I said before, {new_}",
)
NOTED = ("Thank you, I will remember that {answer_}", "Good to know: {answer}", "Noted. {answer}")

# What says something about each other: if one is known, the other is not simply unknown.
ALIKE = (
    frozenset({"married", "wife name", "husband name", "partner name", "first love name"}),
    frozenset(
        {
            "home",
            "home address",
            "old address",
            "home town",
            "work address",
            "grew up",
            "birthplace",
        }
    ),
    frozenset(
        {"profession", "employer", "office", "studies", "boss name", "side job", "dream job"}
    ),
    frozenset({"birthday date", "age", "year of birth"}),
    frozenset(
        {
            "pets",
            "dog name",
            "cat name",
            "horse name",
            "hamster name",
            "goldfish name",
            "goat name",
            "donkey name",
        }
    ),
    frozenset({"name", "maiden name", "stage name"}),
    frozenset({"commute", "train time", "car", "number plate", "way to work", "bus line"}),
    frozenset({"favourite book", "reads"}),
    frozenset({"favourite food", "cooks", "best recipe", "usual order"}),
    frozenset({"learning", "mother tongue", "weakest language", "studies", "Spanish lessons day"}),
    frozenset({"hobby", "new passion", "favourite sport", "weekend sport", "instrument"}),
    frozenset({"goal", "secret wish", "gift for me"}),
    frozenset({"travel", "next destination", "dream destination", "holiday date"}),
    frozenset({"wedding anniversary date", "wedding year"}),
    frozenset({"gym", "the gym day", "trainer name"}),
    frozenset({"dentist appointment", "dentist name", "doctor's appointment time"}),
    frozenset({"flight", "booking reference", "gate"}),
    frozenset({"phone number", "work number"}),
    frozenset({"sister name", "brother name", "twin name"}),
    frozenset({"a football match trip", "fan"}),
    frozenset({"climbing company", "hiking company", "travel companion name"}),
    frozenset({"supermarket", "the market day"}),
    frozenset({"landlord name", "rent", "deposit"}),
    frozenset({"favourite city", "dream destination"}),
)
