"""What a reader learns with: facts about people, the questions for them, and wordings.

Nothing of this occurs in `held_out_topics`, which it is measured on.
"""

from __future__ import annotations

from ondevice.reader.statements import Attribute, attribute

RELATIONS = (
    "sister", "brother", "mother", "father", "wife", "husband", "son", "daughter", "best friend",
    "boss", "neighbour",
)  # fmt: skip

# noun -> hints (a name answers all of them)
_NAMED = {
    "dog": "Whom do I take for a walk every morning? / What do I shout when the dog runs away?",
    "cat": "Who purrs on my sofa? / Which name goes on the cat's collar?",
    "horse": "Whose saddle do I have to clean?",
    "sister": "Which girl grew up with me?",
    "brother": "Which boy grew up with me?",
    "mother": "Who gave birth to me?",
    "father": "Whom should I thank on Father's Day?",
    "wife": "To which woman am I married?",
    "husband": "To which man am I married?",
    "partner": "Who is the love of my life?",
    "son": "Which boy am I raising?",
    "daughter": "Which girl am I raising?",
    "best friend": "Whom do I trust most outside the family?",
    "boss": "Whom do I ask for a day off work?",
    "neighbour": "Who lives next door to me?",
    "dentist": "My tooth hurts. Whose number do I need?",
    "landlord": "Whom do I pay the rent to? / The heating at home is broken. Who must fix it?",
    "hamster": "Who runs in the little wheel at night?",
    "teacher": "Who gives me homework?",
    "hairdresser": "Who cuts my hair?",
}

_NAMED_STATES = (
    "{p} NOUN is called {x}. / {p} NOUN's name is {x}. / {s} [has|have] a NOUN called {x}."
)
_NAMED_ASKS = """What is {p} NOUN called? / What is the name of {p} NOUN? / What's {p} NOUN's name? /
    Do you remember what {p} NOUN is called? / What was {p} NOUN's name again? / Name {p} NOUN."""

# noun -> (kind of value, hints)
_POSSESSIVE = {
    "name": ("full_name", "Who am I? / How should I sign this letter? / Introduce me to the group. Who is here?"),
    "favourite colour": ("colour", "I am painting my room. Which colour would please me most?"),
    "favourite food": ("food", "It is my birthday dinner. What should be on my plate? / What do I like to eat most?"),
    "favourite book": ("title", "Which novel do I like best? / What did I read with the greatest pleasure?"),
    "favourite sport": ("sport", "What kind of training makes me happy?"),
    "favourite animal": ("animal", "Which creature should I visit first at the zoo?"),
    "favourite drink": ("drink", "I am at the bar. What do I order for myself?"),
    "favourite song": ("title", "Which music should the DJ play for me?"),
    "shoe size": ("size", "I am buying boots. Which number should I look for?"),
    "phone number": ("phone", "How can people call me?"),
    "birthday": ("date", "When do I get my presents? / On which day do I turn a year older?"),
    "wedding anniversary": ("date", "On which day should I buy flowers for the marriage?"),
    "locker code": ("code", "I am standing in front of my locker at the gym. What do I type?"),
    "PIN": ("pin", "The cash machine asks me for four digits. Which ones?"),
    "home address": ("address", "Where should the courier bring my parcel?"),
    "rent": ("money", "How much do I pay for the flat each month?"),
    "height": ("centimetres", "How tall am I?"),
    "number plate": ("code", "What is written on the plate of my car?"),
    "hobby": ("hobby", "How do I spend my free time?"),
    "mother tongue": ("language", "Which words did I hear as a baby?"),
    "year of birth": ("year", "How far back does my life begin?"),
    "maiden name": ("surname", "What was I called before I married?"),
    "email password": ("code", "I cannot log in to my mail. What do I type?"),
    "office": ("room", "Behind which door do I work?"),
    "nationality": ("country", "Which country gave me my passport?"),
}  # fmt: skip

_POSSESSIVE_STATES = "{p} NOUN is {x}. / {x} is {p} NOUN."
_POSSESSIVE_ASKS = """What is {p} NOUN? / What's {p} NOUN? / Do you know {p} NOUN? /
    Can you tell me {p} NOUN? / {p} NOUN, what was it again? / Do you remember {p} NOUN?"""

_SENTENCES = (
    attribute("home", "city", "{s} [lives|live] in {x}. / {s} [is|am|are] living in {x}.",
        "Where [does|do] {s} live? / Which city [does|do] {s} live in? / In which town [is|am] {s} living?",
        "Which town hall issues my papers? / I am on the train home. Where do I get off? / What should I enter as my place of residence?"),
    attribute("birthplace", "city", "{s} [was|was|were] born in {x}.",
        "Where [was|was] {s} born? / In which city [was|was] {s} born?",
        "Which place is written in my birth certificate?"),
    attribute("work", "job", "{s} [works|work] as a {x}. / {s} [is|am|are] a {x}.",
        "What [does|do] {s} do for work? / What is {p} job? / What [does|do] {s} do for a living? / What kind of work [does|do] {s} do?",
        "How do I earn my money? / What should I write in the field 'profession'?"),
    attribute("employer", "company", "{s} [works|work] at {x}. / {s} [works|work] for {x}.",
        "Which company [does|do] {s} work for? / Where [does|do] {s} work? / Who is {p} employer?",
        "Who pays my salary? / Whose logo is on my business card?"),
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
    attribute("spare key", "place", "{s} [keeps|keep] the spare key {x}. / {p} spare key is {x}.",
        "Where [does|do] {s} keep the spare key? / Where is the spare key?",
        "I locked myself out. Where should I look?", own=True),
    attribute("dentist appointment", "time", "{s} [has|have] a dentist appointment at {x}.",
        "When is {p} dentist appointment? / At what time [is|am] {s} at the dentist?",
        "When must I sit in the chair with my mouth open?"),
    attribute("gym day", "weekday", "{s} [goes|go] to the gym on {x}.",
        "When [does|do] {s} go to the gym? / On which day [is|am] {s} at the gym?",
        "When do I need my sports bag?"),
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
    attribute("meeting", "weekday", "{s} [has|have] a team meeting on {x}.",
        "When is {p} team meeting? / On which day [does|do] {s} have the team meeting?",
        "When do I see all my colleagues?"),
    attribute("gift for me", "gift", "{s} [wishes|wish] for {x}. / {s} [wants|want] {x} for Christmas.",
        "What [does|do] {s} wish for? / What [does|do] {s} want for Christmas?", "What present would delight me?"),
    attribute("goal", "goal", "{s} [wants|want] to {x}. / {p} goal is to {x}.",
        "What is {p} goal? / What [does|do] {s} want to achieve?", "What am I working towards?"),
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


def _named(noun: str, hints: str) -> Attribute:
    kind = "pet_name" if noun in ("dog", "cat", "horse", "hamster") else "name"
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

# How a question may be wrapped; `{q}` is the question, `{Q}` with a capital letter.
CARRIERS = (
    "{Q}", "{Q}", "{Q}", "{Q}", "Hi! {Q}", "One more thing: {q}", "Sorry, {q}", "Hey, {q}",
    "I keep forgetting things. {Q}", "Okay. {Q}", "Thanks. And {q}", "{Q} Please be brief.",
    "Good morning! {Q}", "Let me test you. {Q}",
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
    frozenset({"married", "wife name", "husband name", "partner name"}),
    frozenset({"home", "home address", "neighbour name"}),
    frozenset({"work", "employer", "office", "studies", "boss name"}),
    frozenset({"birthday", "age", "year of birth"}),
    frozenset({"pets", "dog name", "cat name", "horse name", "hamster name"}),
    frozenset({"name", "maiden name"}),
    frozenset({"commute", "train time", "car", "number plate"}),
    frozenset({"favourite book", "reads"}),
    frozenset({"favourite food", "cooks"}),
    frozenset({"learning", "mother tongue", "studies"}),
    frozenset({"hobby", "favourite sport", "instrument"}),
)
