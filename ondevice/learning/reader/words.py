"""The values that facts are made of, in two halves that share nothing.

What a reader learns from must not be what it is measured on: every pool has a
`train` and a `test` half. Names come from many languages, and some are made of
syllables, so that only reading helps and not knowing. Numbers and dates fall
into one half or the other by a hash of themselves.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Literal

Split = Literal["train", "test"]
SPLITS: tuple[Split, Split] = ("train", "test")

# pool -> (train, test); one value between two commas.
_LISTS: dict[str, tuple[str, str]] = {
    "person": (
        """Marek, Ines, Clara, Tobias, Yuki, Amara, Oluwaseun, Björn, Zoë, José, Lucía, Mateo, Chiara,
        Giorgio, Łukasz, Agnieszka, Pavel, Zdeněk, Çağla, Mehmet, Layla, Omar, Priya, Arjun, Wei, Mei,
        Haruto, Sakura, Minh, Thuy, Jisoo, Kwame, Efua, Aino, Eero, Eleni, Kostas, Rui, Beatriz, Gábor,
        Réka, Ioana, Andrei, Oksana, Taras, Noa, Eitan, Sigrún, Gunnar, Emma, Oliver, Grace, Henry,
        Lily, Jack, Ruby, Arthur, Hazel, Felix, Martha, Jonas, Greta, Anselm, Heidi, Camille, Thierry,
        Solène, Baptiste, Pilar, Joaquín, Xavier, Núria, Francesca, Luca, Teresa, Rafael, Ingrid, Lars,
        Maja, Stefan, Dragan, Milica, Petra, Ondřej, Farid, Samira, Hassan, Zainab, Tariq, Deepa,
        Rohan, Sunita, Chen, Ling, Kenji, Aiko, Linh, Duc, Hyejin, Kofi, Abena, Wanjiru, Baraka,
        Thandiwe, Sipho, Tama, Kiri, Siobhan, Declan, Rhys, Carys, Fiona, Callum, Dmitri, Svetlana,
        Nikolai, Anouk, Pieter, Sanne, Jürgen, Wolfgang, Rosa, Diego, Valentina, Santiago, Ximena""",
        """Bruno, Nadia, Theo, Ayaan, Freya, Malik, Ottilie, Renzo, Kasia, Hiroshi, Chidi, Ngozi, Søren,
        Astrid, Álvaro, Inés María, Matilde, Piotr, Bohdan, Defne, Emre, Yasmin, Karim, Ananya, Vikram,
        Xiaoming, Yan, Takeshi, Naomi, Quang, Hoa, Minjun, Kojo, Adwoa, Veikko, Helmi, Dimitra, Nikos,
        Tomás, Leonor, Zoltán, Ildikó, Radu, Mihaela, Iryna, Yoav, Shira, Björk, Harold, Edith, Walter,
        Poppy, Stanley, Ivy, Conrad, Liesel, Gaël, Margaux, Etienne, Rocío, Iker, Ginevra, Sandro,
        Annika, Nils, Vesna, Goran, Tereza, Jakub, Nasser, Rania, Gautam, Meera, Jun, Fumiko, Bao, Trang,
        Sora, Yaw, Makena, Jabari, Lindiwe, Aroha, Niamh, Cormac, Gwen, Angus, Yevgeny, Larisa, Femke,
        Joost, Ursula, Camila, Rodrigo""",
    ),
    "surname": (
        """Hartwell, Novak, Okafor, Lindqvist, Moreau, Castellano, Brandt, Takahashi, Mbeki, O'Connor,
        Petrov, Silva, Nakamura, Fischer, Dubois, Romano, Haugen, Kowalska, Yilmaz, Rahman, Iyer, Zhang,
        Nguyen, Park, Mensah, Virtanen, Papadakis, Almeida, Szabó, Popescu, Shevchenko, Levi, Whitaker,
        Ashdown, Pemberton, Holloway, Sinclair, Thornton, Vogel, Baumann, Lefèvre, Ortega, Delgado,
        Ferrari, Jansen, Visser, Horvat, Dvořák, Haddad, Banerjee, Chowdhury, Sato, Tran, Osei, Ndlovu,
        MacLeod, Griffiths, Ivanova, Bakker, Schuster""",
        """Merriweather, Adeyemi, Bergström, Fontaine, Ricci, Kessler, Yamamoto, Dlamini, Gallagher,
        Sokolov, Carvalho, Endo, Zimmermann, Girard, Esposito, Solberg, Wiśniewska, Demir, Siddiqui,
        Menon, Liu, Pham, Choi, Boateng, Korhonen, Stavrou, Teixeira, Fekete, Ionescu, Bondarenko, Katz,
        Fairfax, Winslow, Carmichael, Eastwood, Lockhart, Rousseau, Navarro, Conti, de Vries, Babić,
        Svoboda, Mansour, Kapoor""",
    ),
    "pet": (
        """Biscuit, Rex, Luna, Pepper, Shadow, Maple, Ziggy, Mochi, Nimbus, Waffles, Bandit, Olive, Simba,
        Cleo, Pretzel, Hugo, Tofu, Marbles, Domino, Juniper, Pickles, Rufus, Snowball, Tango, Whiskers,
        Nacho, Poppyseed, Button, Gizmo, Sable, Truffle, Bramble, Koala, Muffin, Rocket, Saffron, Toto,
        Velvet, Yoda, Zorro, Fidget, Bumble, Captain, Dumpling, Echo, Freckles""",
        """Barnaby, Noodle, Ginger, Smudge, Cosmo, Hazelnut, Pip, Clover, Monty, Pumpkin, Ozzy, Cricket,
        Blossom, Jasper, Twix, Merlin, Pebbles, Fern, Scout, Dexter, Cinnamon, Moose, Tilly, Bear,
        Sprout, Midnight, Teddy, Wasabi, Kipper, Dune, Nutmeg, Ollie""",
    ),
    "city": (
        """Lisbon, Graz, Toronto, Osaka, Nairobi, Lyon, Kraków, Gothenburg, Porto, Leipzig, Valencia,
        Bologna, Ghent, Tartu, Brno, Izmir, Amman, Pune, Chengdu, Busan, Accra, Turku, Patras, Coimbra,
        Szeged, Cluj, Lviv, Haifa, Reykjavík, Bristol, Sheffield, Aberdeen, Cork, Boston, Denver,
        Portland, Austin, Montréal, Halifax, Medellín, Rosario, Curitiba, Lima, Cusco, Oaxaca, Perth,
        Hobart, Wellington, Durban, Kigali, Tunis, Marrakesh, Almaty, Tbilisi, Hanoi, Cebu, Penang,
        Bergen, Aarhus, Utrecht, Bremen, Freiburg, Innsbruck, Basel, Nantes, Toulouse, Turin, Verona,
        Seville, Bilbao""",
        """Dunedin, Malmö, Dresden, Antwerp, Braga, Palermo, Gdańsk, Plzeň, Bursa, Beirut, Kochi, Nanjing,
        Daegu, Kumasi, Oulu, Volos, Faro, Debrecen, Iași, Odesa, Eilat, Akureyri, Leeds, Cardiff, Galway,
        Seattle, Tucson, Savannah, Ottawa, Quito, Mendoza, Recife, Arequipa, Puebla, Adelaide, Napier,
        Windhoek, Kampala, Fez, Bishkek, Yerevan, Da Nang, Davao, Ipoh, Trondheim, Odense, Haarlem,
        Rostock, Salzburg, Lugano, Rennes, Trieste, Granada, Vigo""",
    ),
    "country": (
        """Portugal, Japan, Kenya, Norway, Peru, Vietnam, Greece, Canada, Morocco, Iceland, Chile, India,
        Poland, Ireland, Mexico, Turkey, South Korea, New Zealand, Italy, Austria, Ghana, Estonia,
        Argentina, Nepal""",
        """Finland, Brazil, Thailand, Croatia, Tanzania, Scotland, Colombia, Indonesia, Hungary, Egypt,
        Cuba, Denmark, Georgia, Malaysia, Bolivia, Slovenia""",
    ),
    "job": (
        """nurse, carpenter, tax adviser, primary school teacher, bus driver, software developer, pastry
        chef, paramedic, librarian, architect, electrician, florist, translator, accountant, welder,
        physiotherapist, journalist, veterinarian, tailor, civil engineer, barber, geologist, postman,
        graphic designer, midwife, plumber, sound engineer, lawyer, gardener, data analyst""",
        """firefighter, pharmacist, beekeeper, music teacher, crane operator, optician, piano tuner,
        museum guide, baker, locksmith, train driver, marine biologist, dental hygienist, roofer,
        notary, flight attendant, potter, web designer, social worker, cartographer""",
    ),
    "instrument": (
        """cello, trumpet, accordion, violin, drums, piano, flute, banjo, saxophone, harp, ukulele,
        clarinet, double bass""",
        """oboe, mandolin, trombone, viola, bagpipes, marimba, electric guitar, harmonica, organ,
        bassoon""",
    ),
    "language": (
        """Danish, Spanish, Japanese, Swahili, Portuguese, Polish, Arabic, Italian, Korean, Greek, Welsh,
        Mandarin, Russian, Hindi""",
        """Finnish, Turkish, Dutch, Vietnamese, Catalan, Hungarian, Hebrew, Icelandic, Thai, Ukrainian,
        Basque""",
    ),
    "sport": (
        """climbing, badminton, rowing, tennis, basketball, swimming, judo, handball, cycling, fencing,
        volleyball, table tennis, cricket, ice skating""",
        """archery, rugby, water polo, squash, karate, field hockey, surfing, gymnastics, curling,
        baseball, orienteering""",
    ),
    "hobby": (
        """pottery, birdwatching, chess, knitting, baking bread, model trains, astronomy, gardening,
        photography, calligraphy, woodworking, stamp collecting, hiking, origami, sudoku, sewing""",
        """beekeeping, juggling, geocaching, watercolour painting, restoring radios, crossword puzzles,
        candle making, magic tricks, ballroom dancing, kite flying, bookbinding, foraging""",
    ),
    "colour": (
        """green, dark blue, orange, purple, yellow, grey, pink, black, lilac, light blue, crimson, olive
        green, gold, beige""",
        """turquoise, maroon, silver, mint green, navy blue, scarlet, ivory, violet, mustard yellow, teal,
        copper""",
    ),
    "food": (
        """lasagne, pad thai, mushroom risotto, fish tacos, goulash, falafel, ramen, pierogi, shepherd's
        pie, paella, lentil curry, gnocchi, sushi, moussaka, couscous, potato pancakes, dumplings,
        chicken soup""",
        """ratatouille, bibimbap, jollof rice, spinach pie, borscht, tagine, fajitas, onion soup, pho,
        ceviche, stuffed peppers, schnitzel, dal, empanadas""",
    ),
    "fruit": (
        """mango, cherries, pears, grapes, figs, bananas, blueberries, melon, plums, kiwi""",
        """papaya, apricots, raspberries, pomegranate, peaches, lychees, blackberries, oranges""",
    ),
    "allergen": (
        """peanuts, shellfish, cat hair, birch pollen, penicillin, eggs, milk, soya, latex, sesame""",
        """walnuts, bee stings, dust mites, celery, mustard, aspirin, grass pollen, almonds, nickel""",
    ),
    "car": (
        """Volvo, red Fiat, Toyota Corolla, old Land Rover, Skoda Octavia, blue Renault, Tesla, Mini,
        Ford van, Honda Civic, silver Audi""",
        """Mazda, white Peugeot, Subaru Forester, yellow Beetle, Kia Sportage, Dacia Duster, green Jeep,
        Citroën, Hyundai, old Saab""",
    ),
    "drink": (
        """green tea, espresso, apple juice, hot chocolate, lemonade, cappuccino, sparkling water, cider,
        mint tea, oat milk latte""",
        """rooibos tea, ginger beer, tomato juice, iced coffee, chai, elderflower cordial, cold brew,
        buttermilk, cherry juice""",
    ),
    "subject": (
        """chemistry, history, mechanical engineering, law, philosophy, nursing, mathematics, biology,
        economics, art history, psychology, linguistics""",
        """geography, music, computer science, physics, theology, archaeology, medicine, statistics,
        botany, political science""",
    ),
    "place": (
        """under the flowerpot, in the blue drawer, behind the bookshelf, in the garage, on top of the
        fridge, in the cellar, next to the front door, in the desk at work, in the attic, inside the
        old teapot, under the stairs, in the glove compartment, in the bathroom cabinet""",
        """in the hall cupboard, behind the washing machine, in the shed, in a tin on the windowsill, under
        the bed, in the sewing box, on the hook by the back door, in the bottom of the wardrobe, beside
        the piano, in the laundry basket, at a neighbour's flat""",
    ),
    "weekday": (
        """Monday, Wednesday, Friday, Sunday, Monday evening, Friday afternoon, Wednesday morning""",
        """Tuesday, Thursday, Saturday, Tuesday morning, Thursday evening, Saturday afternoon""",
    ),
    "gift": (
        """a pair of hiking boots, a telescope, a silk scarf, a cookbook, a chess set, a camera, a garden
        bench, a wool blanket, concert tickets, a fountain pen""",
        """a leather wallet, a kite, a pottery course, a record player, a bracelet, a sleeping bag, a
        houseplant, a board game, a travel mug, headphones""",
    ),
    "goal": (
        """run a marathon, learn to swim, write a novel, open a café, build a boat, stop smoking, save for
        a house, climb Mont Blanc, read fifty books, get a pilot's licence""",
        """cycle across France, learn sign language, paint the kitchen, start a podcast, adopt a child, plant
        an orchard, give up sugar, sail to Corsica, finish a master's degree, walk the Camino""",
    ),
    "fear": (
        """spiders, heights, flying, thunderstorms, deep water, snakes, small rooms, needles""",
        """wasps, the dark, clowns, public speaking, escalators, big dogs, ghosts, bridges""",
    ),
    "genre": (
        """science fiction, crime novels, historical novels, poetry, fantasy, biographies, ghost stories""",
        """travel books, thrillers, westerns, short stories, comics, spy novels, fairy tales""",
    ),
    "flower": (
        """tulips, roses, sunflowers, lavender, daisies, orchids, peonies""",
        """irises, lilies, dahlias, poppies, carnations, hydrangeas""",
    ),
    "animal": (
        """otters, elephants, owls, wolves, penguins, giraffes, foxes, dolphins""",
        """hedgehogs, tigers, seals, red pandas, eagles, octopuses, badgers""",
    ),
    "pet_kind": (
        """two goldfish, a parrot, three hens, a tortoise, a black cat, an old beagle, a rabbit""",
        """a hamster, two budgies, a grey pony, a corn snake, a poodle, a guinea pig, four ducks""",
    ),
    "transport": (
        """by tram, by bicycle, on foot, by train, by ferry, in a carpool""",
        """by bus, on a scooter, by underground, by car, on roller skates, by motorbike""",
    ),
    "team": (
        """the Falcons, Rovers, the Blue Stars, Athletic, the Harbour Bears, United""",
        """the Comets, Wanderers, the Red Lions, Olympia, the River Otters, City""",
    ),
    "org": (
        """Logistics, Foods, Partners, Bank, Motors, Insurance, Design, Labs, Hotels, Books""",
        """Engineering, Textiles, Airways, Studios, Brewery, Publishing, Pharma, Robotics""",
    ),
    "street": (
        """Street, Road, Lane, Avenue, Gardens""",
        """Close, Square, Terrace, Hill, Way""",
    ),
    "adjective": (
        """Silent, Golden, Broken, Crooked, Hidden, Last, Northern, Burning, Paper, Empty, Glass, Lost""",
        """Winter, Copper, Distant, Velvet, Forgotten, Second, Southern, Drowning, Wooden, Hollow, Pale""",
    ),
    "noun": (
        """River, Garden, Lighthouse, Orchard, Clockmaker, Island, Letters, Harbour, Sparrow, Bridge,
        Kingdom, Mirror""",
        """Mountain, Window, Cathedral, Meadow, Astronomer, Station, Maps, Valley, Heron, Tower, Republic,
        Lantern""",
    ),
    "syllable": (
        """ka, lo, mi, ren, tas, vo, bel, du, nor, sha, ti, quo, fen, gra, pli, zu, mar, ost""",
        """ne, ra, sil, tov, ubi, wex, cor, hal, jin, pe, dra, ys, gol, bri, emp, fa, lun, kir""",
    ),
}  # fmt: skip

POOLS: dict[str, dict[Split, tuple[str, ...]]] = {
    name: {
        split: tuple(" ".join(value.split()) for value in text.split(","))
        for split, text in zip(SPLITS, halves, strict=True)
    }
    for name, halves in _LISTS.items()
}

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip


def value(kind: str, split: Split, rng: random.Random) -> str:
    """Return a value of the pool or of the maker called `kind`, from one half."""
    maker = _MAKERS.get(kind)
    if maker is not None:
        return maker(split, rng)
    return rng.choice(POOLS[kind][split])


def _pick(kind: str, split: Split, rng: random.Random) -> str:
    return rng.choice(POOLS[kind][split])


def in_half(number: int, split: Split) -> bool:
    """Whether `number` belongs to that half: one number of four is for tests."""
    return ((number * 2_654_435_761 >> 7) % 4 == 0) == (split == "test")


def number(low: int, high: int, split: Split, rng: random.Random) -> int:
    """Return a number from `low` to `high` of one half."""
    while True:
        found = rng.randint(low, high)
        if in_half(found, split):
            return found


def _name(split: Split, rng: random.Random) -> str:
    if rng.random() < 0.25:
        return _made_up(split, rng)
    return _pick("person", split, rng)


def _made_up(split: Split, rng: random.Random) -> str:
    return "".join(rng.sample(POOLS["syllable"][split], rng.choice((2, 2, 3)))).capitalize()


def _full_name(split: Split, rng: random.Random) -> str:
    return f"{_name(split, rng)} {_pick('surname', split, rng)}"


def _pet(split: Split, rng: random.Random) -> str:
    return _made_up(split, rng) if rng.random() < 0.2 else _pick("pet", split, rng)


def _company(split: Split, rng: random.Random) -> str:
    return f"{_pick('surname', split, rng)} {_pick('org', split, rng)}"


def _address(split: Split, rng: random.Random) -> str:
    place = f"{_pick('surname', split, rng)} {_pick('street', split, rng)}"
    return f"{number(2, 99, split, rng)} {place}"


def _title(split: Split, rng: random.Random) -> str:
    return f"The {_pick('adjective', split, rng)} {_pick('noun', split, rng)}"


def _date(split: Split, rng: random.Random) -> str:
    found = number(0, 12 * 28 - 1, split, rng)
    day, month = found % 28 + 1, MONTHS[found // 28]
    ending = {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th") if day not in (11, 12, 13) else "th"
    return rng.choice((f"{day} {month}", f"{month} {day}", f"the {day}{ending} of {month}"))


def _time(split: Split, rng: random.Random) -> str:
    found = number(6 * 12, 22 * 12, split, rng)
    return f"{found // 12}:{found % 12 * 5:02d}"


def _code(split: Split, rng: random.Random) -> str:
    letters = "".join(rng.sample("ABCDEFGHJKLMNPRSTUVWXYZ", 2))
    return f"{letters}{number(10, 9999, split, rng)}"


def _phone(split: Split, rng: random.Random) -> str:
    return f"0{number(100, 999, split, rng)} {number(1000, 999_999, split, rng)}"


def _numbers(low: int, high: int, form: str = "{}") -> Callable[[Split, random.Random], str]:
    return lambda split, rng: form.format(number(low, high, split, rng))


_MAKERS: dict[str, Callable[[Split, random.Random], str]] = {
    "name": _name,
    "full_name": _full_name,
    "pet_name": _pet,
    "company": _company,
    "address": _address,
    "title": _title,
    "date": _date,
    "time": _time,
    "code": _code,
    "phone": _phone,
    "age": _numbers(5, 95),
    "pin": _numbers(1000, 9999),
    "size": _numbers(34, 47),
    "centimetres": _numbers(140, 205, "{} cm"),
    "kilograms": _numbers(45, 120, "{} kg"),
    "money": _numbers(200, 9000, "{} euros"),
    "year": _numbers(1935, 2024),
    "room": _numbers(100, 999),
    "minutes": _numbers(5, 95, "{} minutes"),
}
