"""Tastes and limits that a suggestion should respect, in two halves.

A taste has kinds of things and examples of each; a suggestion is an example. A
limit has things that respect it and things that do not.
"""

from __future__ import annotations

from dataclasses import dataclass

from ondevice.learning.reader.statements import split_templates
from ondevice.learning.reader.words import Split


@dataclass(frozen=True)
class Taste:
    """Kinds of things that somebody likes or not, with examples, and requests for suggestions."""

    key: str
    kinds: dict[str, tuple[str, ...]]
    requests: tuple[str, ...]


@dataclass(frozen=True)
class Limit:
    """Something that rules suggestions out: statements, requests, what is good and what is not."""

    key: str
    states: tuple[str, ...]
    requests: tuple[str, ...]
    good: tuple[str, ...]
    bad: tuple[str, ...]


def _taste(key: str, requests: str, **kinds: str) -> Taste:
    return Taste(
        key,
        {kind.replace("_", " "): split_templates(text) for kind, text in kinds.items()},
        split_templates(requests),
    )


def _limit(key: str, states: str, requests: str, good: str, bad: str) -> Limit:
    return Limit(key, *map(split_templates, (states, requests, good, bad)))


# `{k}` is the kind that is liked or not, `{o}` another one.
LIKES: dict[Split, tuple[str, ...]] = {
    "train": split_templates("""{s} [loves|love] {k}. / {s} [prefers|prefer] {k} to {o}. /
        {s} [likes|like] {k} best. / {s} [is|am|are] a fan of {k}. / {s} [enjoys|enjoy] {k}. /
        {s} [adores|adore] {k}. / {s} [would|would] rather have {k} than {o}."""),
    "test": split_templates("""{s} [is|am|are] very fond of {k}. / Nothing pleases {m} more than {k}. /
        {s} always [chooses|choose] {k} over {o}. / {s} [has|have] a weakness for {k}."""),
}  # fmt: skip
DISLIKES: dict[Split, tuple[str, ...]] = {
    "train": split_templates("""{s} [hates|hate] {k}. / {s} can't stand {k}. /
        {s} [doesn't|don't] like {k}. / {s} [dislikes|dislike] {k}."""),
    "test": split_templates("""{s} [avoids|avoid] {k}. / {s} [has|have] had enough of {k}. /
        {s} [wants|want] nothing to do with {k}."""),
}  # fmt: skip
# `{e}` is the suggestion, `{k}` the kind it belongs to.
SUGGESTIONS: dict[Split, tuple[str, ...]] = {
    "train": ("How about {e}?", "I suggest {e}.", "You could try {e}.", "Why not {e}?", "What about {e}?", "Maybe {e}."),
    "test": ("I would go for {e}.", "Have you thought of {e}?", "My tip is {e}.", "{e} would be nice."),
}  # fmt: skip

TASTES: dict[Split, tuple[Taste, ...]] = {
    "train": (
        _taste("drink", """What should I drink this afternoon? / Suggest a drink for me. /
            I am thirsty. What do you recommend? / What could I order at the café? / Pick a drink for me.""",
            tea="a cup of Earl Grey / a pot of green tea / a mug of peppermint tea",
            coffee="a strong espresso / a cappuccino / a latte with extra foam",
            fruit_juice="a glass of orange juice / fresh apple juice / some pineapple juice",
            chocolate="a mug of hot cocoa / a chocolate milkshake / a hot chocolate with cream",
            beer="a cold lager / a pint of stout / a wheat beer"),
        _taste("book", """Which book should I read next? / Recommend me something to read. /
            I need a book for the train. Any idea? / What could I take out of the library?""",
            crime_novels="a murder mystery set in Oxford / a detective story / a whodunit by Agatha Christie",
            science_fiction="a novel about a colony on Mars / a story about robots / a space opera",
            history_books="a book about the Roman Empire / a history of the Silk Road / an account of the First World War",
            poetry="a collection of sonnets / a book of haiku / some verses by Emily Dickinson",
            cookbooks="a book of Italian recipes / a guide to baking bread / a book about soups"),
        _taste("film", """What shall I watch tonight? / Pick a film for this evening. /
            I have two hours for the cinema. What should I see?""",
            comedies="a funny film about a wedding / a slapstick classic / a comedy with Charlie Chaplin",
            horror_films="a film about a haunted house / a zombie film / a scary vampire story",
            documentaries="a documentary about whales / a film about the making of the Alps / a report on deep-sea life",
            westerns="a story of cowboys and a train robbery / a film about a sheriff / a duel at noon"),
        _taste("trip", """Where should I go on holiday? / Plan my next trip. / I have a free week. Where should I travel? /
            Suggest a place for the summer.""",
            the_sea="a week at the beach / a small island with a harbour / a sailing trip along the coast",
            the_mountains="a hut in the Alps / a hike over high passes / a week of climbing peaks",
            big_cities="a long weekend in London / a tour of Tokyo / a few days in New York",
            forests="a cabin in the woods / a walk among old oaks / a camp under pine trees",
            deserts="a camel ride in the Sahara / a night among the dunes / a drive through dry canyons"),
        _taste("exercise", """How could I get some exercise? / Which sport should I try? /
            I want to move more. What do you suggest?""",
            swimming="a few lengths in the pool / a swim in the lake / an aqua class",
            running="a jog in the park / a ten-kilometre run / a few laps around the track",
            cycling="a bike tour along the river / an hour on a racing bike / a ride on a mountain bike",
            dancing="a salsa class / an evening of tango / a waltz course",
            ball_games="a game of football / a basketball match / a round of tennis"),
        _taste("present", """What should somebody give me for my birthday? / Help me write a wish list. /
            What would be a good present for me?""",
            gadgets="a smart watch / a drone with a camera / a tiny computer",
            clothes="a warm pullover / a linen shirt / a pair of jeans",
            plants="an orchid in a pot / a small olive tree / a bonsai",
            tools="a cordless drill / a set of screwdrivers / a good saw",
            jewellery="a silver ring / a pair of earrings / a gold necklace"),
        _taste("evening", """What could I do this evening? / I am bored tonight. Any ideas? /
            How should I spend Saturday night?""",
            quiet_evenings="an evening on the sofa with a candle / a long bath / an early night",
            parties="a night out with a crowd / a house party / a club with a good DJ",
            the_theatre="a play by Shakespeare / a ticket for the opera / a new drama on stage",
            cooking="making fresh pasta at home / trying a new curry recipe / baking a cake"),
        _taste("pet", """Which animal should I get? / I want a pet. Which one would suit me?""",
            dogs="a young Labrador / a small terrier / a beagle from the shelter",
            cats="a Siamese kitten / a tabby from the shelter / a Maine Coon",
            birds="a pair of budgies / a canary / a cockatiel",
            fish="a tank of guppies / a goldfish / some neon tetras"),
        _taste("lunch", """What should I eat for lunch? / Suggest something for dinner. /
            I am hungry. What should I have?""",
            pasta="spaghetti with tomato sauce / a plate of lasagne / penne with pesto",
            soup="a bowl of minestrone / a hot leek soup / a creamy pumpkin soup",
            salad="a green salad with feta / a Caesar salad / a bowl of rocket and tomatoes",
            fish="grilled salmon / a trout with almonds / cod with potatoes",
            rice="a risotto / fried rice with vegetables / a paella"),
        _taste("breakfast", """What should I have this morning? / Make me a breakfast plan. / The hotel asks what I want in the morning.""",
            eggs="two fried eggs / an omelette with chives / scrambled eggs on toast",
            porridge="a bowl of warm oats / oatmeal with cinnamon / semolina with honey",
            pancakes="a stack with maple syrup / crêpes with sugar / waffles from the iron",
            bread_rolls="a fresh bun with butter / a bagel with cream cheese / a croissant"),
        _taste("museum", """Which museum should I see? / It rains and I want to look at an exhibition. Which one? / Where should I take the guided tour?""",
            paintings="a gallery of old masters / a show of portraits in oil / a hall full of Rembrandts",
            dinosaurs="the big fossil skeletons / a tour among giant bones / the tyrannosaurus hall",
            trains="the old locomotives / a shed of steam engines / a ride on the historic railway",
            space="the planetarium / a rocket on display / a piece of the moon behind a window"),
        _taste("clothes", """What should I wear to the party? / Help me choose something to put on. / Pick an outfit for tomorrow.""",
            dark_clothes="a black coat / a navy suit / charcoal trousers",
            light_clothes="a white blouse / a cream jacket / beige trousers",
            sportswear="a tracksuit / trainers and a hoodie / leggings with a running top",
            dresses="a long gown / a summer frock / a cocktail dress"),
        _taste("course", """Which evening class should I take? / I want to learn something new. What? / The college offers courses. Which one is for me?""",
            languages="a beginner's class in Portuguese / lessons in Arabic / a course in Mandarin",
            handicraft="a class in knitting / a woodcarving weekend / a lesson at the potter's wheel",
            computers="an introduction to programming / a class about databases / a course on web design",
            photography="a workshop about portraits with a camera / a course on lenses and light / a walk with a tripod"),
        _taste("stay", """Where should I sleep on my trip? / Find me a place for the night. / Which room shall I book?""",
            camping="a tent by the lake / a pitch on the campsite / a night in a sleeping bag",
            hotels="a double room with room service / a suite with a minibar / a room in the Grand Hotel",
            farms="a room above the stable / a bed on a dairy farm / a stay with cows and hens",
            boats="a cabin on a houseboat / a berth on a yacht / a barge on the canal"),
        _taste("series", """Which series should I start? / I want something with many episodes. What? / What could I stream this week?""",
            hospital_series="a drama about surgeons / a story of nurses on night shift / a show set in an emergency room",
            police_series="a show about two detectives / a cold case drama / a series about a murder squad",
            fantasy="a saga with dragons / a tale of wizards / a story of elves and swords",
            cartoons="an animated family show / a series of talking animals / drawn adventures of a robot"),
        _taste("snack", """I want to nibble something. What? / What should I put in a bowl for tonight? / Which snack is for me?""",
            sweets="a bag of gummy bears / a bar of caramel / some liquorice",
            salty_things="a bag of crisps / pretzel sticks / salted popcorn",
            raw_vegetables="sticks of celery / slices of cucumber / cherry tomatoes",
            dried_fruit="a handful of raisins / dried apricots / some dates"),
        _taste("volunteer", """Where could I help in my free time? / I want to volunteer. Where? / Which good cause is for me?""",
            animals="the shelter for stray dogs / the hedgehog rescue / a sanctuary for old horses",
            children="a homework club / a playground team / reading aloud in a kindergarten",
            nature="clearing a stream of rubbish / planting hedges / counting frogs at a pond",
            old_people="visits in a nursing home / a tea round for pensioners / shopping for a widow next door"),
        _taste("season", """When should I take my holidays? / Which month is best for my party? / When should we have the family meeting?""",
            summer="in July / on a hot day in August / in the last week of June",
            winter="in January / at the first snow / in the middle of December",
            spring="in April / when the tulips bloom / at Easter",
            autumn="in October / when the leaves fall / at harvest time"),
        _taste("news", """Which part of the paper should I read first? / What could I read about today? / Choose an article for me.""",
            politics="a report on the election / an interview with the minister / a comment on the new law",
            sport="the match report / the league tables / an interview with a goalkeeper",
            science="an article about a new vaccine / a report on black holes / a study of bees",
            business="the stock prices / a story about a start-up / a report on a merger"),
        _taste("transport", """How should I cross the city? / How could I get to the party? / Which way of getting there would please me?""",
            walking="a stroll along the canal / twenty minutes on foot / a short cut through the park on foot",
            public_transport="the underground / tram number four / the night bus",
            driving="the car with the radio on / the motorway by car / a rented convertible",
            rowing="a boat across the river / a kayak down the canal / a canoe"),
        _taste("gift", """I have a voucher for an experience. Which one? / What could I treat myself to? / How should I reward myself?""",
            wellness="a massage / a day in the sauna / a facial with cucumber",
            adventure="a parachute jump / white-water rafting / a bungee jump",
            gourmet_food="a tasting menu / a dozen oysters / a box of truffles",
            handbags="a leather tote / a silk clutch / a designer purse"),
        _taste("colour", """Which colour should my new bike have? / Pick a paint for my door. / Which scarf would suit me?""",
            green="a shade of emerald / something like moss / olive",
            blue="a shade of navy / something like the sky / turquoise",
            red="a shade of crimson / something like cherries / scarlet",
            yellow="a shade of lemon / something like the sun / gold"),
    ),
    "test": (
        _taste("music", """Put on something for me. / What should the band play for me? /
            I want to listen to something now. What?""",
            jazz="a record by Miles Davis / a swing band / a saxophone solo",
            classical_music="a symphony by Beethoven / a piece by Mozart / a string quartet",
            heavy_metal="an album by Metallica / a concert with screaming guitars / a track by Iron Maiden",
            folk_music="a ballad with a fiddle / some Irish tunes / a song with banjo and accordion",
            rap="a new rap album / a track with fast rhymes / a rapper from Brooklyn"),
        _taste("dessert", """The waiter asks what I want after the main course. What do I say? /
            Choose my dessert. / What sweet thing would please me?""",
            ice_cream="two scoops of vanilla / a sundae / a cone of strawberry gelato",
            cake="a slice of sponge cake / a piece of cheesecake / a carrot cake",
            fruit="a bowl of berries / a sliced peach / some melon",
            cheese="a plate of Brie and Camembert / some blue cheese with crackers / a piece of old Gouda"),
        _taste("game", """We are having a games night. What should I bring? / Which game would be right for me? /
            I have an hour to play. What?""",
            card_games="a round of poker / a hand of bridge / a game of rummy",
            board_games="a game of Monopoly / a round of Scrabble / a match of draughts",
            video_games="a round of Tetris / a racing game on the console / a match of Minecraft",
            puzzles="a jigsaw with a thousand pieces / a crossword / a sudoku"),
        _taste("garden", """What shall I plant behind the house? / My flower bed is empty. What goes in? /
            Help me plan my garden.""",
            vegetables="a row of carrots / some beans and lettuce / a few tomato plants",
            roses="a red rose bush / climbing roses / a bed of white roses",
            herbs="some basil and thyme / a pot of rosemary / parsley and mint",
            trees="a young apple tree / a maple / a small birch"),
        _taste("home", """How should I furnish the living room? / My bedroom looks dull. What would improve it? /
            Give me an idea for my walls.""",
            wood="an oak table / pine panels / a walnut shelf",
            metal="a steel lamp / an iron shelf / copper hooks",
            glass="a glass table / a large mirror / a crystal vase",
            bright_colours="a yellow wall / a bright red carpet / orange curtains"),
        _taste("cuisine", """Book a table for me somewhere. Where? / Which restaurant should I go to on Friday? /
            I want to eat out. Where?""",
            Italian_food="the pizzeria on the corner / a trattoria / an osteria with fresh pasta",
            Japanese_food="a sushi bar / a ramen shop / a place with good tempura",
            Mexican_food="a taco stand / a place with burritos / a cantina with guacamole",
            Indian_food="a curry house / a place with naan and tandoori / a restaurant with biryani"),
    ),
}  # fmt: skip

LIMITS: dict[Split, tuple[Limit, ...]] = {
    "train": (
        _limit("vegetarian", "{s} [is|am|are] a vegetarian. / {s} [doesn't|don't] eat meat. / {s} never [eats|eat] meat.",
            "What should I cook tonight? / What could I eat at the barbecue? / Suggest a dish for me.",
            "a mushroom risotto / grilled vegetables / a lentil stew / a spinach omelette / a bean burger",
            "a beef steak / pork sausages / roast chicken / a ham sandwich / lamb chops"),
        _limit("milk", "{s} [is|am|are] lactose intolerant. / {s} cannot drink milk.",
            "What should I have for breakfast? / What could I put on my bread?",
            "toast with jam / oats with water and berries / a boiled egg / bread with hummus",
            "a bowl of yoghurt / a glass of milk / cereal with cream / a cheese sandwich"),
        _limit("peanut", "{s} [is|am|are] allergic to peanuts. / {s} [has|have] a peanut allergy.",
            "Which snack should I buy? / I need a snack for the trip. What would be safe for me?",
            "an apple / a bag of crisps / some rice cakes / a banana",
            "a peanut bar / some peanut butter cups / salted peanuts / a peanut cookie"),
        _limit("flying", "{s} [is|am|are] afraid of flying. / {s} never [takes|take] a plane.",
            "How should I get to Rome? / How could I travel to my cousin's wedding?",
            "a night train / a long drive with stops / a coach / a ferry and then a train",
            "a cheap flight / a plane from the nearest airport / a morning flight / a charter flight"),
        _limit("early", "{s} [is|am|are] not a morning person. / {s} [works|work] best late at night.",
            "When should I study? / At what time should we meet?",
            "in the late evening / after ten at night / at nine in the evening / late at night",
            "at six in the morning / right after sunrise / at seven in the morning / before breakfast"),
        _limit("knee", "{s} [has|have] a bad knee. / {s} [has|have] hurt {p} knee.",
            "Which training would be good for me? / How can I stay fit?",
            "some gentle swimming / yoga on a mat / exercises for the arms / stretching while seated",
            "a marathon / a round of squats / jumping rope / a game of football"),
        _limit("money", "{s} [has|have] very little money. / {s} [is|am|are] saving every penny.",
            "What could I do at the weekend? / Where should I stay on my trip?",
            "a free walk in the park / a night in a cheap hostel / a picnic by the river / a tent at a campsite",
            "a five-star hotel / a helicopter tour / a shopping tour in expensive shops / a luxury spa"),
        _limit("gluten", "{s} [has|have] coeliac disease. / {s} cannot eat wheat.",
            "Which cake could I have? / What should I eat at the canteen?",
            "a rice pudding / a potato salad / a flourless almond tart / grilled fish with rice",
            "a slice of white bread / a bowl of noodles / a wheat roll / a piece of pizza"),
        _limit("sugar", "{s} [has|have] diabetes. / {s} must not eat sugar.",
            "What could I have with my coffee? / What should I drink at the cinema?",
            "a glass of water / a piece of cheese / an unsweetened tea / a few olives",
            "a doughnut / a large cola / a slice of cream cake / a bar of fudge"),
        _limit("heights", "{s} [is|am|are] afraid of heights. / {s} [gets|get] dizzy on every ladder.",
            "What should I see in the city? / Which outing could I make?",
            "the old market hall / a boat tour / a walk in the valley / the botanical gardens",
            "the top of the tower / a ride on the cable car / a hot-air balloon / the glass bridge over the gorge"),
        _limit("cats", "{s} [is|am|are] allergic to cats. / {s} [sneezes|sneeze] near every cat.",
            "Where could I stay in Leeds? / Which café should I go to?",
            "a flat without animals / a clean hotel / a café on the square / a hostel by the station",
            "a house with three kittens / a cat café / a room that two tabbies share / a farm full of cats"),
        _limit("wheelchair", "{s} [uses|use] a wheelchair. / {s} cannot climb stairs.",
            "Which flat should I look at? / Where could we meet?",
            "a flat on the ground floor / a place with a lift / a café with a ramp / a hall without steps",
            "an attic without a lift / a cellar bar down steep steps / a flat on the fifth floor, stairs only / a tower room"),
        _limit("driver", "{s} [doesn't|don't] have a driving licence. / {s} never learned to drive.",
            "How could I get to the lake? / How should I move my things?",
            "the train and then a bus / a taxi / a lift from a friend / a removal firm",
            "a rented car / the company's van / a borrowed motorbike / a drive along the coast"),
        _limit("cold", "{s} [hates|hate] the cold. / {s} always [freezes|freeze].",
            "Where should I spend February? / What could I do on Sunday?",
            "a week in Egypt / an hour in the sauna / a day in the warm greenhouse / an afternoon by the fire",
            "a trip to Lapland / an ice bath / a day of ice fishing / a walk in a snowstorm"),
        _limit("pork", "{s} [doesn't|don't] eat pork. / {s} never [touches|touch] pork.",
            "What should I order at the grill? / What may I take from the buffet?",
            "a chicken kebab / a lamb chop / a vegetable skewer / a piece of trout",
            "a ham roll / bacon and eggs / a pork chop / a plate of salami"),
        _limit("crowds", "{s} [feels|feel] ill in a crowd. / {s} cannot be among many people.",
            "When should I go shopping? / How could I celebrate my birthday?",
            "on a Tuesday before noon / a dinner for two / a picnic with one friend / an evening at home",
            "on the last Saturday before Christmas / a street parade / a concert in the stadium / a party for two hundred guests"),
    ),
    "test": (
        _limit("alcohol", "{s} [has|have] given up alcohol. / Alcohol is not for {m}.",
            "The bartender looks at me. What do I take? / What shall I toast with on New Year's Eve?",
            "a ginger ale / an orange juice with ice / a tonic water / a sparkling grape juice",
            "a glass of champagne / a gin and tonic / a large whisky / a bottle of red wine"),
        _limit("nuts", "Nuts are dangerous for {m}. / A single nut would make {m} very ill.",
            "Which cookie may I take? / Pick a chocolate for me.",
            "a plain butter cookie / a piece of milk chocolate / a lemon biscuit / a mint chocolate",
            "a hazelnut cookie / a walnut brownie / a praline with almonds / a pistachio bar"),
        _limit("water", "{s} never learned to swim. / Deep water scares {m} to death.",
            "It is hot on Sunday. Where should I go? / What fun could I have on the island?",
            "a stroll through the village / a picnic in the shade / a bus tour of the island / a round of mini golf",
            "a dive to the wreck / a swim out to the rock / a day of snorkelling / a jump from the high board"),
        _limit("noise", "{s} cannot bear noise. / Loud places exhaust {m}.",
            "Where shall we talk? / Find me a spot to spend the afternoon.",
            "a quiet library / an empty church / a bench in the silent garden / a calm tea room",
            "a crowded sports bar / a rock festival / a busy arcade / a building site"),
        _limit("vegan", "{s} [has|have] gone vegan. / Animal products are off the table for {m}.",
            "What can I order at this diner? / Which pizza is mine?",
            "one with tomatoes and olives / one with peppers and no cheese / one with mushrooms and garlic oil / one with artichokes",
            "one with ham and cheese / one with salami / one with four cheeses / one with tuna"),
    ),
}  # fmt: skip
