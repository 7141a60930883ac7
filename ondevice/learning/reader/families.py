"""Many facts to learn with, from lists of nouns: what a reader has seen only a few of, it guesses.

A family has wordings in which a word of a list takes the place of `NOUN`; each
word brings hints of its own, so that no two facts are asked for alike.
"""

from __future__ import annotations

from collections.abc import Mapping

from ondevice.learning.reader.statements import Attribute, attribute


def family(
    kind: str,
    states: str,
    asks: str,
    nouns: Mapping[str, str],
    suffix: str = "",
    *,
    own: bool = False,
) -> tuple[Attribute, ...]:
    """Return an attribute for each noun; `nouns` gives its hints."""
    return tuple(
        attribute(
            f"{noun}{suffix}", kind, states.replace("NOUN", noun), asks.replace("NOUN", noun),
            hints, own=own,
        )
        for noun, hints in nouns.items()
    )  # fmt: skip


def nouns(text: str) -> dict[str, str]:
    """Return the nouns of a text, one a line, with its hints behind a colon."""
    lines = (line.partition(":") for line in text.strip().splitlines())
    return {noun.strip(): hints.strip() for noun, _, hints in lines}


_IS = """{p} NOUN is {x}. / {p} NOUN is {x}. / {x} is {p} NOUN. / {s} gave {x} as {p} NOUN. /
    {s} said that {p} NOUN is {x}. / {s} [has|have] {x} as {p} NOUN. / {p} NOUN has been {x} for a while. /
    {p} current NOUN is {x}. / When it comes to {p} NOUN, {x} is right. / If somebody asks for {p} NOUN, say {x}. /
    {p} NOUN, by the way, is {x}. / {x}, that is {p} NOUN. / {p} NOUN ({x}). / With {p} NOUN one thing is sure: {x}. /
    Concerning {p} NOUN, {s} said {x}. / {p} NOUN - {x} / {x} was noted as {p} NOUN. / What {s} told about {p} NOUN is {x}. /
    NOUN of {s}: {x}, nothing else. / It is {x} that {s} [has|have] as {p} NOUN. / {p} NOUN should be {x}."""
_WHAT = """What is {p} NOUN? / What is {p} NOUN? / What's {p} NOUN? / Do you know {p} NOUN? / Can you tell me {p} NOUN? /
    {p} NOUN, what was it again? / Remind me of {p} NOUN. / I need {p} NOUN. / What did I say {p} NOUN is? /
    Any idea what {p} NOUN is? / Could you remind me what {p} NOUN is? / What do you have for {p} NOUN? /
    I can't remember {p} NOUN. / Give me {p} NOUN. / Do you still know what {p} NOUN is? / Which is {p} NOUN? /
    Say {p} NOUN once more. / Look for {p} NOUN in your notes. / Did I mention {p} NOUN? / {p} NOUN, please. /
    I am asking for {p} NOUN. / What is written about {p} NOUN? / Help me out with {p} NOUN. / {p} NOUN is what?"""

CODES = family("code", _IS, _WHAT, nouns("""
    locker code: I am standing in front of my locker at the gym. What do I type?
    email password: I cannot log in to my mail. What do I type?
    number plate: What is written on the plate of my car?
    library card number: The librarian wants to see my card, but I left it at home. What do I say?
    booking reference: I want to check in for my flight. What should I enter?
    membership number: The club asks who I am. Which number do I give?
    wifi password: A guest wants to go online in my flat. What do I tell them?
    insurance number: The hospital asks how I am insured. What do I write?
    order number: My parcel is late and the shop wants to find it. What do I send them?
    laptop password: My computer is locked. How do I get in?
    tax number: The tax office wants to identify me. What do I write?
    alarm code for the office: I opened the office and it beeps. What do I enter?
    student number: The exam sheet asks who I am. What do I write?
    garage code: I am in front of my garage. What do I type?
    """))  # fmt: skip
DATES = family("date", _IS, _WHAT + " / When is {p} NOUN? / On which day is {p} NOUN? / Which date is {p} NOUN?", nouns("""
    birthday: When do I get my presents? / On which day do I turn a year older?
    wedding anniversary: On which day should I buy flowers for my marriage?
    driving test: When must I be able to park a car?
    exam: By when must I have learned everything?
    moving day: When do I need helpers with strong arms and a van?
    first day at school: When did my life as a pupil begin?
    operation: When will the surgeon see me?
    holiday: From when on am I off work?
    deadline: By when must my work be handed in?
    concert: For when should I iron the black suit and tune my instrument?
    due date: When will my baby arrive?
    last day of work: When can I clear my desk?
    eye test: When will somebody check how well I see?
    """), " date")  # fmt: skip
TIMES = family("time", _IS + " / {p} NOUN starts at {x}.", _WHAT + " / When is {p} NOUN? / At what time is {p} NOUN?", nouns("""
    yoga class: When must I unroll my mat?
    lunch break: When can I eat with my colleagues?
    night shift: When do I start working this evening?
    job interview: When must I impress my future employer?
    haircut: When does somebody cut my hair?
    video call: When must I switch on my camera?
    swimming lesson: When must I be in the pool?
    parents' evening: When will I talk to my child's teacher?
    train home: When do I leave for home?
    doctor's appointment: When must I be in the waiting room?
    dinner with friends: When should I be at the restaurant?
    """), " time")  # fmt: skip
FAVOURITES = (
    *family("title", _IS, _WHAT, nouns("""
        favourite book: Which novel do I like best? / What did I read with the greatest pleasure?
        favourite song: Which music should the DJ play for me?
        favourite series: What do I watch on the sofa, one episode after the other?
        favourite painting: Which picture would I hang up if I could have any?
        favourite play: What would I see at the theatre again and again?
        favourite poem: Which verses do I know by heart?
        favourite album: Which record do I play most?
        favourite magazine: What do I buy at the kiosk?
        """)),
    *family("colour", _IS, _WHAT, nouns("""
        favourite colour: I am painting my room. Which colour would please me most?
        front door colour: How will visitors recognise my door?
        coat colour: How will you recognise me in the cold?
        sofa colour: My cushions should match. What colour do they need?
        suitcase colour: My luggage comes out of the plane. What should I look for?
        """)),
    *family("food", _IS, _WHAT, nouns("""
        favourite food: It is my birthday dinner. What should be on my plate? / What do I like to eat most?
        usual order: I am at my restaurant. What does the waiter bring without asking?
        best recipe: What do I cook when I want to impress somebody?
        """)),
    *family("drink", _IS, _WHAT, nouns("""
        favourite drink: I am at the bar. What do I order for myself?
        """)),
    *family("animal", _IS, _WHAT, nouns("""
        favourite animal: Which creature should I visit first at the zoo?
        """)),
    *family("sport", _IS, _WHAT, nouns("""
        favourite sport: What kind of training makes me happy?
        weekend sport: What do I do to stay fit on Sundays?
        """)),
    *family("subject", _IS, _WHAT, nouns("""
        favourite subject: Which lessons did I love at school?
        worst subject: Which lessons did I hate at school?
        """)),
    *family("city", _IS, _WHAT, nouns("""
        home town: Which place do I come from?
        favourite city: Where would I spend a weekend if I could choose?
        next destination: Where will my suitcase and I arrive?
        """)),
)  # fmt: skip
NUMBERS = (
    *family("size", _IS, _WHAT, nouns("""
        shoe size: I am buying boots. Which number should I look for?
        trouser size: I am in the changing room with jeans. Which ones might fit?
        """)),
    *family("pin", _IS, _WHAT, nouns("""
        PIN: The cash machine asks me for four digits. Which ones?
        phone code: My telephone is locked. What do I press?
        bicycle lock code: My bike is chained to a post. How do I open it?
        """)),
    *family("room", _IS, _WHAT, nouns("""
        office: Behind which door do I work?
        bus line: What is written on the bus that I take?
        classroom: Where do I sit during lessons?
        jersey number: What is on my back when I play?
        parking space: Where is my car in the garage?
        gate: Where does my plane leave from?
        """)),
    *family("money", _IS, _WHAT + " / How much is {p} NOUN? / How high is {p} NOUN?", nouns("""
        rent: How much do I pay for the flat each month?
        budget for the trip: How much may my holiday cost?
        monthly pension: What do I get from the state in my old age?
        electricity bill: What does power cost me?
        deposit: What will the landlord give me back when I move out?
        pocket money: What do I get from my parents?
        """)),
    *family("centimetres", _IS, _WHAT, nouns("""
        height: How tall am I?
        desk width: How much room is there for my two screens?
        """)),
    *family("year", _IS, _WHAT, nouns("""
        year of birth: How far back does my life begin?
        wedding year: When did I say yes?
        """)),
    *family("phone", _IS, _WHAT, nouns("""
        phone number: How can people call me?
        work number: How can clients reach me in the office?
        """)),
    *family("minutes", _IS, _WHAT + " / How long is {p} NOUN?", nouns("""
        way to work: How long do I sit in traffic each morning?
        best time over ten kilometres: How fast can I run a long race?
        """)),
)  # fmt: skip
WHO = (
    *family("full_name", _IS, _WHAT, nouns("""
        name: Who am I? / How should I sign this letter? / Introduce me to the group. Who is here?
        stage name: Under which name do I perform?
        """)),
    *family("surname", _IS, _WHAT, nouns("""
        maiden name: What was I called before I married?
        """)),
    *family("company", _IS, _WHAT + " / Which company is {p} NOUN?", nouns("""
        employer: Who pays my salary? / Whose logo is on my business card?
        phone provider: My mobile has no signal. Whom should I complain to?
        gym: Where do I lift weights?
        supermarket: Where do I buy my milk and bread?
        insurance company: My roof is damaged. Who should pay?
        old school: Where did I learn to read and write?
        biggest client: Who brings me the most orders?
        newspaper: What do I read at breakfast?
        """)),
    *family("job", _IS, _WHAT, nouns("""
        profession: How do I earn my money? / What should I write in the field 'profession'?
        dream job: What did I want to be as a child?
        side job: How do I earn some extra money in the evening?
        """)),
    *family("address", _IS, _WHAT + " / Where is {p} NOUN?", nouns("""
        home address: Where should the courier bring my parcel?
        work address: Where do I have to go on Monday morning?
        old address: Where did I live before?
        """)),
    *family("hobby", _IS, _WHAT, nouns("""
        hobby: How do I spend my free time?
        new passion: What have I recently fallen in love with doing?
        """)),
    *family("country", _IS, _WHAT, nouns("""
        home country: Which country gave me my passport?
        dream destination: Where would I fly if money did not matter?
        """)),
    *family("language", _IS, _WHAT, nouns("""
        mother tongue: Which words did I hear as a baby?
        weakest language: In which language do I make most mistakes?
        """)),
    *family("goal", _IS.replace("is {x}", "is to {x}").replace("{x} is {p} NOUN. /", "").replace("{s} gave {x} as {p} NOUN. /", "")
        .replace("{s} [has|have] {x} as {p} NOUN. /", "").replace("been {x}", "been to {x}"), _WHAT, nouns("""
        goal: What am I working towards?
        secret wish: What do I dream of?
        """)),
)  # fmt: skip

_CALLED = """{p} NOUN is called {x}. / {p} NOUN is called {x}. / {p} NOUN's name is {x}. / {s} [has|have] a NOUN called {x}. /
    {x} is {p} NOUN. / {p} NOUN goes by the name of {x}. / {s} introduced {p} NOUN as {x}. / {p} NOUN answers to {x}. /
    {p} NOUN {x} was there too. / {p} NOUN, {x}, is well. / Everybody calls {p} NOUN {x}. / {x}: so {p} NOUN is called. /
    When {s} [speaks|speak] of {p} NOUN, {s} [means|mean] {x}. / As a NOUN, {s} [has|have] {x}."""
_NAME = """What is {p} NOUN called? / What is {p} NOUN called? / What is the name of {p} NOUN? / What's {p} NOUN's name? /
    Do you remember what {p} NOUN is called? / What was {p} NOUN's name again? / Name {p} NOUN. / Who is {p} NOUN? /
    I forgot the name of {p} NOUN. / Remind me what {p} NOUN is called. / What do I call {p} NOUN? /
    What does everybody call {p} NOUN? / Give me the name of {p} NOUN. / {p} NOUN, what is the name? / Say the name of {p} NOUN. /
    I am trying to remember what {p} NOUN is called. / Under which name do you know {p} NOUN?"""
PEOPLE = family("name", _CALLED, _NAME, nouns("""
    sister: Which girl grew up with me?
    brother: Which boy grew up with me?
    mother: Who gave birth to me?
    father: Whom should I thank on Father's Day?
    wife: To which woman am I married?
    husband: To which man am I married?
    partner: Who is the love of my life?
    son: Which boy am I raising?
    daughter: Which girl am I raising?
    best friend: Whom do I trust most outside the family?
    boss: Whom do I ask for a day off work?
    neighbour: Who lives next door to me?
    dentist: My tooth hurts. Who can help?
    landlord: Whom do I pay the rent to? / The heating at home is broken. Who must fix it?
    teacher: Who gives me homework?
    hairdresser: Who cuts my hair?
    therapist: With whom do I talk about my worries?
    gardener: Who mows my lawn?
    vet: My pet is ill. Whom do I call?
    driving instructor: Who taught me to park?
    trainer: Who tells me to do ten more push-ups?
    editor: Who corrects my texts?
    grandson: Which child of my child should I phone?
    godmother: Who held me when I was baptised?
    twin: Who was born on the same day as I?
    stepfather: Whom did my mother marry later?
    mother-in-law: Who raised the person I married?
    mechanic: My car makes a strange noise. Who can help?
    butcher: Who sells me sausages?
    tailor: My suit is too wide. Who can change it?
    chess partner: Who sits across the board from me?
    business partner: With whom did I found my firm?
    travel companion: Who will sit next to me on the trip?
    pen friend: To whom do I write letters?
    assistant: Who arranges my meetings at work?
    first love: For whom did my heart beat when I was young?
    """), " name")  # fmt: skip
PETS = family("pet_name", _CALLED, _NAME, nouns("""
    dog: Whom do I take for a walk every morning? / What do I shout when the dog runs away?
    cat: Who purrs on my sofa? / Which name goes on the cat's collar?
    horse: Whose saddle do I have to clean?
    hamster: Who runs in the little wheel at night?
    goldfish: Who swims in my bowl?
    goat: Who eats the grass behind my barn?
    donkey: Who carries my bags up the hill?
    teddy bear: What did I hug as a child?
    """), " name")  # fmt: skip

_KEEPS = """{s} [keeps|keep] {p} NOUN {x}. / {p} NOUN is {x}. / {p} NOUN can be found {x}. / {s} left {p} NOUN {x}. /
    {s} [hides|hide] {p} NOUN {x}. / {s} always [puts|put] {p} NOUN {x}. / {x} is where {p} NOUN belongs. /
    Whoever needs {p} NOUN finds it {x}. / {p} NOUN has its place {x}. / {p} NOUN stays {x}."""
_WHERE = """Where is {p} NOUN? / Where is {p} NOUN? / Where [does|do] {s} keep {p} NOUN? / Where did {s} leave {p} NOUN? /
    I am looking for {p} NOUN. / Have you any idea where {p} NOUN is? / Where [does|do] {s} hide {p} NOUN? / Where do I find {p} NOUN? /
    In which place is {p} NOUN? / I need to get {p} NOUN. Where is it? / Tell me where {p} NOUN is. / Where must one look for {p} NOUN?"""
PLACES = family("place", _KEEPS, _WHERE, nouns("""
    spare key: I locked myself out. Where should I look?
    umbrella: It is raining. Where do I look?
    wallet: I have to pay. Where do I look?
    torch: The light went out. Where do I look?
    diary: I want to write down my day. Where do I look?
    first-aid kit: I cut my finger. Where do I look?
    camera: I want to take a picture. Where do I look?
    guitar: I want to play a song. Where do I look?
    tent: We are going camping. Where do I look?
    sewing machine: I have to mend a curtain. Where do I look?
    ladder: The bulb on the ceiling is broken. Where do I look?
    suitcase: I have to pack. Where do I look?
    charger: My phone is nearly empty. Where do I look?
    driving licence: The police stopped me. Where do I look?
    winter coat: It is freezing outside. Where do I look?
    """), " place", own=True)  # fmt: skip

WITH = family("name", "{s} [goes|go] NOUN with {x}. / {x} goes NOUN with {m}. / For NOUN, {s} always [meets|meet] {x}.",
    "Who [does|do] {s} go NOUN with? / With whom [does|do] {s} go NOUN? / Who goes NOUN with {m}?", nouns("""
    climbing: Who holds my rope?
    fishing: Who sits beside me at the lake with a rod?
    dancing: Whose feet do I step on?
    running: Who keeps up with me in the park?
    hiking: Who walks through the mountains with me?
    shopping: Who helps me to choose clothes?
    swimming: Who is in the lane next to mine?
    skiing: Who races me down the slope?
    """), " company")  # fmt: skip
MANY = family("age", "{s} [has|have] {x} NOUN. / {s} [owns|own] {x} NOUN. / There are {x} NOUN in {p} home.",
    "How many NOUN [does|do] {s} have? / How many NOUN [does|do] {s} own? / What is the number of {p} NOUN?", nouns("""
    plants: How often must I fill the little watering can to reach them all?
    records: How large is my vinyl collection?
    chairs: How many guests can sit in my home?
    pairs of shoes: How many pairs stand in my hall?
    cookbooks: How much reading is there in my kitchen?
    bottles of wine: How much is left in my cellar to drink?
    teapots: How large is the collection in my glass cabinet?
    stamps: How many are in my album?
    """), " number")  # fmt: skip
DAYS = family("weekday", "{s} [goes|go] to NOUN on {x}. / {s} [visits|visit] NOUN every {x}. / {x} is the day for NOUN.",
    "When [does|do] {s} go to NOUN? / On which day [does|do] {s} visit NOUN? / Which day is for NOUN?", nouns("""
    the gym: When do I need my sports bag?
    the market: When do I buy fresh vegetables?
    church: When do I hear a sermon?
    the chess club: When do I think about openings and endgames?
    the pottery course: When do I get clay on my hands?
    Spanish lessons: When must I have learned my vocabulary?
    the team meeting: When do I see all my colleagues?
    the sauna: When do I sit in the heat?
    """), " day")  # fmt: skip
BOUGHT = family("gift", "{s} bought {x} for NOUN. / For NOUN, {s} got {x}. / {s} spent {p} money on {x} for NOUN.",
    "What did {s} buy for NOUN? / What did {s} get for NOUN? / On what did {s} spend {p} money for NOUN?", nouns("""
    the children: What will make the kids happy?
    Mother's Day: How will I surprise Mum in May?
    the new flat: What is still wrapped up among the boxes after the move?
    the office party: What did I bring along for the colleagues?
    the wedding: What did I give to bride and groom?
    Christmas: What is under the tree from me?
    """), " purchase")  # fmt: skip
WENT = family("city", "{s} went to {x} for NOUN. / {s} [was|was|were] in {x} for NOUN. / {p} trip to {x} was for NOUN.",
    "Where did {s} go for NOUN? / To which city did {s} go for NOUN? / Which city [was|was] {s} in for NOUN?", nouns("""
    a conference: Where did I listen to all those talks?
    a funeral: Where did I say goodbye to somebody?
    a football match: In which stadium did I shout?
    a language course: Where did I practise speaking?
    a job: Where did my career take me?
    a school reunion: Where did I see my old classmates?
    """), " trip")  # fmt: skip
COLOURS = family("colour", "{p} NOUN is {x}. / {s} painted {p} NOUN {x}. / {s} [has|have] a NOUN in {x}.",
    "What colour is {p} NOUN? / Which colour did {s} paint {p} NOUN? / Of which colour is {p} NOUN?", nouns("""
    kitchen: Which tiles would match the walls where I cook?
    fence: Which paint do I need to touch up the boards around the garden?
    scooter: Which of the vehicles outside is mine?
    caravan: What should other campers look for?
    helmet: What is on my head when I ride?
    """), " colour")  # fmt: skip

ATTRIBUTES: tuple[Attribute, ...] = (
    *CODES, *DATES, *TIMES, *FAVOURITES, *NUMBERS, *WHO, *PEOPLE, *PETS, *PLACES, *WITH, *MANY,
    *DAYS, *BOUGHT, *WENT, *COLOURS,
)  # fmt: skip
