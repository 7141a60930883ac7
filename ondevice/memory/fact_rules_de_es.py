"""The rules that find facts in what a person says about themselves, as data: German and Spanish.

The notes are English, because that is what the small models and the embedder
read best; names and values stay as they were said, and common nouns are
translated by `NOUNS`.
"""

from __future__ import annotations

from ondevice.memory.fact_rules import CAPITAL, NAME, rule

NOUNS = {
    # German
    "hund": "dog", "hündin": "dog", "katze": "cat", "kater": "cat", "pferd": "horse",
    "hase": "rabbit", "kaninchen": "rabbit", "papagei": "parrot", "frau": "wife",
    "ehefrau": "wife", "mann": "husband", "ehemann": "husband", "freundin": "girlfriend",
    "freund": "boyfriend", "partner": "partner", "partnerin": "partner", "mutter": "mother",
    "mama": "mother", "vater": "father", "papa": "father", "schwester": "sister",
    "schwestern": "sister",
    "brüder": "brother", "töchter": "daughter", "söhne": "son", "hunde": "dog", "katzen": "cat",
    "kinder": "child", "bruder": "brother", "tochter": "daughter", "sohn": "son",
    "kind": "child", "oma": "grandmother",
    "großmutter": "grandmother", "opa": "grandfather", "großvater": "grandfather",
    "tante": "aunt", "onkel": "uncle", "cousine": "cousin", "nichte": "niece", "neffe": "nephew",
    "chef": "boss", "chefin": "boss", "nachbar": "neighbour", "nachbarin": "neighbour",
    "auto": "car", "beruf": "job", "geburtstag": "birthday", "firma": "company", "hobby": "hobby",
    "adresse": "address", "farbe": "colour", "essen": "food", "buch": "book", "film": "film",
    "tier": "animal", "sport": "sport", "musik": "music", "stadt": "city", "lied": "song",
    "band": "band", "gericht": "dish", "getränk": "drink", "blutgruppe": "blood type",
    # Spanish
    "perro": "dog", "perra": "dog", "gato": "cat", "gata": "cat", "caballo": "horse",
    "conejo": "rabbit", "loro": "parrot", "mujer": "wife", "esposa": "wife", "marido": "husband",
    "esposo": "husband", "novia": "girlfriend", "novio": "boyfriend", "pareja": "partner",
    "madre": "mother", "mamá": "mother", "padre": "father", "papá": "father", "hermana": "sister",
    "hermano": "brother", "hija": "daughter", "hijo": "son", "abuela": "grandmother",
    "abuelo": "grandfather", "tía": "aunt", "tío": "uncle", "prima": "cousin", "primo": "cousin",
    "sobrina": "niece", "sobrino": "nephew", "jefa": "boss", "jefe": "boss", "vecina": "neighbour",
    "vecino": "neighbour", "coche": "car", "carro": "car", "trabajo": "job",
    "cumpleaños": "birthday", "empresa": "company", "dirección": "address", "color": "colour",
    "comida": "food", "libro": "book", "película": "film", "animal": "animal",
    "deporte": "sport", "música": "music", "ciudad": "city", "canción": "song", "bebida": "drink",
}  # fmt: skip

_VALUE = r"(?P<x>\S.*)"
_AUCH = (
    r"(?: (?:jetzt|auch|übrigens|schon|immer noch|leider))*"
    r"(?P<t>(?: (?:gerade|derzeit|momentan|zurzeit|zur zeit|"
    r"seit \w+(?: (?:jahr|monat|woche|tag)\w*)?))*)"
    r"(?P<h>(?: (?:eigentlich|meist|meistens|manchmal|oft|selten|kaum|fast|wohl|nur|vielleicht))*)"
)
_JETZT = r"(?: (?:jetzt|auch|übrigens|schon|leider))*"
_SEHR = r"(?:(?:auch|wirklich|sehr|total|gern|gerne|besonders|am liebsten) )*"
_UNSURE = r"(?P<h>(?:(?:lieber|eigentlich|meist|meistens|manchmal|nur|kaum) )*)"
# "No me gusta mucho" is no plain dislike: the rule leaves it to be read as a denial.
_MUCHO = (
    r"(?(no)(?! (?:mucho|muchísimo|tanto))|(?: (?:mucho|muchísimo|también))*)"
    r"(?P<h>(?: (?:bastante|especialmente|poco|solo|sólo))*)"
)
_MONAT = "januar|februar|märz|april|mai|juni|juli|august|september|oktober|november|dezember"
_HACE = (
    r"(?: (?:el año pasado|el mes pasado|este año|hace (?:\d+|un|dos|tres|cuatro|cinco|unos) "
    r"(?:años?|mes(?:es)?|semanas?)|en \d{4}))?"
)
_LATELY_DE = (
    r"(?:(?: letzte[snm]?| diese[sn]?| vor (?:\d+|einem|einer|einigen|zwei|drei|vier|fünf|sechs))?"
    r" (?:jahr(?:en)?|monat(?:en)?|wochen?|sommer|winter|herbst|frühling)|"
    r" kürzlich| neulich| gerade| vor kurzem| im jahr \d{4}| \d{4})?"
)
_KIN_DE = (
    r"hund|hündin|katze|kater|pferd|hase|kaninchen|papagei|hamster|schwester|bruder|tochter|sohn|"
    r"kinder|kind|töchter|söhne|katzen|hunde|brüder|schwestern"
)
_KIN_ES = (
    r"perros?|perras?|gatos?|gatas?|caballos?|conejos?|loros?|hámsters?|hermanas?|hermanos?|hijas?|"
    r"hijos?|nietos?|nietas?"
)

GERMAN = (
    rule(rf"(?:ich hei(?:ß|ss)e|mein name ist) (?P<x>{NAME})", "The user's name is {x}.",
         "demographic", "name"),
    rule(rf"(?:bitte )?nennt? mich (?:bitte )?(?P<x>{NAME})", "The user's name is {x}.",
         "demographic", "name"),
    rule(rf"ich (?:wohne|lebe){_AUCH} in (?!angst|frieden|hoffnung)(?P<x>\S.*)",
         "The user lives in {x}.", "demographic", "{x|home}", value="{x|place}"),
    rule(rf"ich bin{_LATELY_DE}(?P<h>(?: \w+){{0,4}}?) von (?P<from>{NAME}) nach (?P<x>{NAME}) "
         r"(?:um)?gezogen", "The user lives in {x} and moved there from {from}.", "demographic",
         "{x|home}", value="{x|place}"),
    rule(rf"ich bin{_LATELY_DE}(?P<h>(?: \w+){{0,4}}?) nach (?P<x>{NAME}) (?:um)?gezogen",
         "The user lives in {x}.", "demographic", "{x|home}", value="{x|place}"),
    rule(rf"ich (?:komme|stamme)(?: ursprünglich)? aus (?P<x>{NAME})", "The user is from {x}.",
         "demographic", "origin"),
    rule(rf"ich bin(?P<t>(?: (?:am|im jahr|im|\d[\d.]*|{_MONAT}))*)(?P<h>(?: \w+){{0,4}}?) "
         rf"in (?P<x>{NAME}) (?P<v>geboren|aufgewachsen)",
         "The user was {v|german} in {x}.", "demographic", "{v|german}"),
    rule(rf"ich arbeite{_AUCH} als {_VALUE}", "The user works as {x}.", "demographic", "job"),
    rule(rf"ich arbeite{_AUCH} (?:bei|für) (?:der |dem )?(?P<x>{NAME}.*)",
         "The user works at {x}.", "demographic", "employer"),
    rule(rf"ich studiere{_AUCH} (?P<x>{CAPITAL}.*)", "The user studies {x}.", "demographic",
         "study"),
    rule(rf"ich lerne{_AUCH} (?P<x>{CAPITAL}\w+)", "The user is learning {x}.", "context",
         "learning"),
    rule(r"ich bin (?P<x>\d{1,3})(?: jahre(?: alt)?)?", "The user is {x} years old.",
         "demographic", "age"),
    rule(rf"ich bin{_AUCH} (?P<x>vegetarier(?:in)?|veganer(?:in)?|vegetarisch|vegan)",
         "The user is {x|diet}.", "preference", "{x|diet-kind}", value="{x|diet}"),
    rule(rf"ich bin{_AUCH} (?P<x>verheiratet|ledig|geschieden|verwitwet|verlobt|schwanger|"
         r"linkshänder(?:in)?|diabetiker(?:in)?|arbeitslos|pensioniert|rentner(?:in)?)",
         "The user is {x|status-word}.", "demographic", "status {x|status}",
         value="{x|status-word}"),
    rule(r"ich habe (?:letztes jahr |dieses jahr |kürzlich |gerade )?(?P<x>geheiratet)",
         "The user got {x|status-word}.", "demographic", "status marital",
         value="{x|status-word}"),
    rule(r"ich habe mich (?:letztes jahr |dieses jahr |kürzlich |gerade )?"
         r"(?P<x>scheiden lassen|verlobt)", "The user got {x|status-word}.", "demographic",
         "status marital", value="{x|status-word}"),
    rule(rf"ich bin{_AUCH} (?:ein |eine )?(?P<x>{CAPITAL}[\wäöüß]*(?:erin|arzt|ärztin|lehrer|"
         r"wirt|pfleger|schwester|kauffrau|kaufmann|ingenieur|ingenieurin|student|studentin|"
         r"informatiker|architekt|architektin|koch|köchin|bäcker|gärtner|journalist|journalistin|"
         r"anwalt|anwältin|mechaniker|elektriker|tischler|polizist|polizistin|designer))",
         "The user is a {x}.", "demographic", "job"),
    rule(rf"ich bin{_JETZT} (?P<h>(?:\w+ )*?)allergisch (?:gegen|auf) {_VALUE}",
         "The user is allergic to {x}.", "demographic", "allergy {x}"),
    rule(rf"ich {_SEHR}(?P<v>mag|liebe|hasse|bevorzuge) (?!dich|euch|es|das\Z|dass|wenn|wie|sie)"
         rf"{_UNSURE}{_SEHR}(?P<no>keine[nmrs]? |kein )?(?P<x>\S.*?)"
         r"(?P<neg> (?:überhaupt )?nicht)?(?P<more> mehr)?",
         "The user {v|taste} {x}.", "preference", "taste {x}", value="{v|polarity}"),
    rule(r"ich (?P<v>esse|trinke)(?: auch| überhaupt| gar)* keine?n? (?P<x>\S.*?)(?: mehr)?",
         "The user doesn't {v|german} {x}.", "preference", "taste {x}", value="have",
         denies=True),
    rule(rf"ich (?P<v>esse|trinke) (?:sehr )?gerne? {_VALUE}",
         "The user likes {x}.", "preference", "taste {x}", value="like"),
    rule(rf"ich (?P<v>esse|trinke) {_VALUE}", "The user {v|german}s {x}.", "preference",
         "taste {x}", value="have", quiet=True),
    rule(r"ich rauche", "The user smokes.", "preference", "taste smoke", value="have"),
    rule(rf"ich spreche{_AUCH} (?P<x>{CAPITAL}.*)", "The user speaks {x}.", "demographic",
         "speaks {x}"),
    rule(rf"ich spiele{_AUCH} (?P<x>{CAPITAL}\w+)", "The user plays {x}.", "context", "plays {x}"),
    rule(rf"ich habe{_AUCH} (?:einen?|ein|eine) (?P<n>{_KIN_DE}),? (?:namens|(?:der|die|das) )"
         rf"(?P<x>{NAME})(?: heißt)?", "The user has a {n|noun} called {x}.", "relationship",
         "{n|noun}:name"),
    rule(rf"ich habe{_AUCH} (?P<x>einen?|ein|eine|zwei|drei|vier|\d+) (?P<n>{_KIN_DE})",
         "The user has {x|count} {n|counted}.", "relationship", "has {n|noun}"),
    rule(rf"meine? lieblings-?(?P<n>[\wäöüß]+) (?:ist|sind|heißt) (?!nicht|kein){_VALUE}",
         "The user's favourite {n|noun} is {x}.", "preference", "favourite {n|noun}"),
    rule(rf"meine? (?P<n>[\wäöüß]+) (?:heißt|heisst) (?P<x>{NAME})",
         "The user's {n|noun} is called {x}.", "relationship", "{n|noun}:name"),
    rule(rf"meine? (?P<n>(?!frage|problem|idee|meinung|punkt|code|fehler|ziel|gott|eindruck)"
         rf"[\wäöüß]+) ist (?!nicht|kein|dass|krank|kaputt|da|hier|müde|weg|gut|schlecht|so|zu|"
         rf"sehr|gerade)(?:am )?{_VALUE}", "The user's {n|noun} is {x}.", "other", "{n|noun}:"),
)  # fmt: skip

SPANISH = (
    rule(rf"(?:yo )?(?:me llamo|mi nombre es) (?P<x>{NAME})", "The user's name is {x}.",
         "demographic", "name"),
    rule(rf"(?:por favor )?ll[aá]m(?:a|e)me (?P<x>{NAME})", "The user's name is {x}.",
         "demographic", "name"),
    rule(rf"(?:yo )?(?:ahora )?(?:vivo|resido) en (?P<x>{NAME}.*)", "The user lives in {x}.",
         "demographic", "{x|home}", value="{x|place}"),
    rule(rf"me (?:mudé|he mudado) a (?P<x>{NAME}){_HACE}", "The user lives in {x}.",
         "demographic", "{x|home}", value="{x|place}"),
    rule(rf"me (?:mudé|he mudado) de (?P<from>{NAME}) a (?P<x>{NAME}){_HACE}",
         "The user lives in {x} and moved there from {from}.", "demographic", "{x|home}",
         value="{x|place}"),
    rule(rf"(?:yo )?(?:soy|vengo) de (?P<x>{NAME})", "The user is from {x}.", "demographic",
         "origin"),
    rule(rf"nací en (?P<x>{NAME})", "The user was born in {x}.", "demographic", "birth place"),
    rule(r"(?:yo )?trabajo (?:como|de) (?:un |una )?(?!noche|día|lunes)(?P<x>\S.*)",
         "The user works as {x}.", "demographic", "job"),
    rule(rf"(?:yo )?trabajo (?:en|para) (?:la |el )?(?P<x>{NAME}.*)", "The user works at {x}.",
         "demographic", "employer"),
    rule(r"(?:yo )?soy (?:un |una )?(?P<x>[\wñáéíóú]*(?:médic[oa]|maestr[oa]|enfermer[oa]|"
         r"profesora?|ingenier[oa]|abogad[oa]|cociner[oa]|programadora?|arquitect[oa]|"
         r"estudiante|periodista|dentista|electricista|fontaner[oa]|carpinter[oa]|camarer[oa]|"
         r"contable|diseñadora?|escritora?|músic[oa]|fotógraf[oa]|jardiner[oa]|panader[oa])"
         r"(?: de \S+)?)", "The user is a {x}.", "demographic", "job"),
    rule(r"(?:yo )?soy (?P<x>vegetarian[oa]|vegan[oa]|celíac[oa])", "The user is {x|diet}.",
         "preference", "{x|diet-kind}", value="{x|diet}"),
    rule(r"(?:yo )?(?:soy|estoy) (?P<x>casad[oa]|solter[oa]|divorciad[oa]|viud[oa]|jubilad[oa]|"
         r"embarazada|zurd[oa]|diabétic[oa]|prometid[oa])", "The user is {x|status-word}.",
         "demographic", "status {x|status}", value="{x|status-word}"),
    rule(r"(?:yo )?me (?:he )?(?P<x>divorciado|divorcié|casado|casé)(?: este año)?",
         "The user got {x|status-word}.", "demographic", "status marital",
         value="{x|status-word}"),
    rule(r"(?:yo )?fumo", "The user smokes.", "preference", "taste smoke", value="have"),
    rule(r"(?:yo )?tengo (?P<x>\d{1,3}) años", "The user is {x} years old.", "demographic", "age"),
    rule(r"(?:yo )?(?:soy (?P<h>(?:\w+ )*?)alérgic[oa]|tengo (?P<h_>(?:\w+ )*?)alergia) "
         r"(?:al |a la |a los |a las |a )"
         r"(?P<x>\S.*)", "The user is allergic to {x}.", "demographic", "allergy {x}"),
    rule(rf"(?:a mí )?(?P<no>no )?me (?P<v>gustan?|encantan?|chiflan?){_MUCHO} "
         rf"(?!que|esto|eso|cómo|como|tu|tus|cuando)(?:el |la |los |las )?{_VALUE}",
         "The user {v|taste} {x}.", "preference", "taste {x}", value="{v|polarity}"),
    rule(rf"(?:yo )?(?P<v>odio|adoro|prefiero|detesto) (?!que|esto|eso|cuando|tu|tus)"
         rf"(?:el |la |los |las )?{_VALUE}", "The user {v|taste} {x}.", "preference", "taste {x}",
         value="{v|polarity}"),
    rule(rf"(?:yo )?no (?P<v>como|bebo) (?!eso|esto|tú|si)(?:nada de )?{_VALUE}",
         "The user doesn't {v|spanish} {x}.", "preference", "taste {x}", value="have",
         denies=True),
    rule(rf"(?:yo )?(?P<v>como|bebo) (?!eso|esto|tú|si|una? |en |con |a ){_VALUE}",
         "The user {v|spanish}s {x}.", "preference", "taste {x}", value="have",
         quiet=True),
    rule(r"(?:yo )?hablo (?!de|con|en|por|muy|mucho|poco|así)(?P<x>\S.*)", "The user speaks {x}.",
         "demographic", "speaks {x}"),
    rule(r"(?:yo )?estudio (?!para|mucho|en|con)(?P<x>\S.*)", "The user studies {x}.",
         "demographic", "study"),
    rule(rf"(?:yo )?tengo (?:una?) (?P<n>{_KIN_ES}) (?:llamad[oa]|que se llama) (?P<x>{NAME})",
         "The user has a {n|noun} called {x}.", "relationship", "{n|noun}:name"),
    rule(rf"(?:yo )?tengo (?P<x>una?|dos|tres|cuatro|\d+) (?P<n>{_KIN_ES})",
         "The user has {x|count} {n|counted}.", "relationship", "has {n|noun}"),
    rule(rf"mi (?P<n>[\wñáéíóú]+) (?:favorit[oa]|preferid[oa]) (?:es|son) (?!no )"
         rf"(?:el |la |los |las )?{_VALUE}", "The user's favourite {n|noun} is {x}.",
         "preference", "favourite {n|noun}"),
    rule(rf"mi (?P<n>[\wñáéíóú]+) se llama (?P<x>{NAME})", "The user's {n|noun} is called {x}.",
         "relationship", "{n|noun}:name"),
    rule(rf"mi (?P<n>(?!pregunta|problema|idea|opinión|código|duda|error|dios|objetivo)"
         rf"[\wñáéíóú]+) es (?!que|no|muy|tan|así|demasiado|mejor|peor){_VALUE}",
         "The user's {n|noun} is {x}.", "other", "{n|noun}:"),
)  # fmt: skip
