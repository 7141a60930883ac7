"""Secrets, told by their form: card numbers, keys, and codes beside the word for one."""

from __future__ import annotations

import math
import re
from collections import Counter

_DIGITS = re.compile(r"(?<![\d.,])\d(?:[ -]?\d){11,18}(?![\d.,]?\d)")
_KEY_HEAD = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|\b(?:sk|pk|rk)[-_](?:live|test|proj|ant)?[-_]?\w{12,}|"
    r"\bgh[pousr]_\w{16,}|\bgithub_pat_\w{16,}|\bAKIA[0-9A-Z]{12,}|\bxox[abprs]-[\w-]{8,}|"
    r"\bAIza[\w-]{20,}|\beyJ[\w-]{10,}\.[\w-]{10,}"
)
_ADDRESS = re.compile(r"\w+://\S+|www\.\S+")
_TOKEN = re.compile(r"(?<![\w/.@])[A-Za-z0-9+_-]{20,}={0,2}(?![\w/.@])")
_WORDS = (
    r"pass ?(?:word|code|phrase)s?|pwd|pin(?:s|[- ]?(?:code|number|nummer))?|cvv|cvc|"
    r"(?:api|secret|private|access|recovery|seed|licen[cs]e)[- ]?(?:key|phrase|token)|"
    r"(?:security|access|door|alarm|safe|unlock|lock|backup|recovery) code|"
    r"\w*(?:passwort|kennwort|passwörter|zugangscode|geheimzahl|geheimnummer|schlüsselcode)|"
    r"contraseñas?|clave(?: secreta| de acceso)?|código (?:secreto|de seguridad|pin)|"
    r"mots? de passe|code (?:secret|pin|d'accès|de sécurité)|"
    r"parol[ae] (?:d'ordine|chiave)|codice (?:segreto|pin|di sicurezza)|"
    r"senhas?|palavra-passe|wachtwoord(?:en)?|toegangscode|pincode|lösenord|adgangskode|"
    r"passord|hasło|парол[ья]|пин-?код"
)
_WORD = re.compile(
    rf"(?<!\w)(?:{_WORDS})(?!\w)|密码|密碼|パスワード|暗証番号|비밀번호", re.IGNORECASE
)
# What may stand between the word and its value, in the languages of the rules.
_GIVEN = re.compile(
    r"\s*(?:[:=→]|\b(?:is|was|are|ist|war|lautet|es|era|est|était|è|é|[:])\b|はは?|は|是)\s*"
    r"[\"'“„«‘`]?(?P<value>[^\s\"'”“»’`]{3,})",
    re.IGNORECASE,
)
_GIVEN_BEFORE = re.compile(
    r"\S*\d{3,}\S*\s+(?:is|ist|es|est|è|é)\s+(?:\w+\s+){0,3}\Z", re.IGNORECASE
)
# A code of which the word alone does not say whether it is secret, if digits are given for it.
_SOME_CODE = re.compile(
    r"(?<!zip )(?<!post )(?<!postal )(?<!area )(?<!country )(?<!\w)"
    r"(?:codes?|códigos?|codice|codici)\b(?! postal| pays| fiscale)",
    re.IGNORECASE,
)
_CODE = re.compile(r"(?=\S*\d)[^\s,;.!?]{3,}|(?=\S*[a-z])(?=\S*[A-Z])(?=\S*[^\w\s,.;:!?'’-])\S{6,}")
_NEAR = 60  # characters after the word, in which its value stands
MIN_BITS = 3.5  # of entropy a character, of a key; words have fewer


def holds_secret(text: str) -> bool:
    """Whether a text holds a card number, a key, or a password or PIN with its value."""
    if any(_is_card(found[0]) for found in _DIGITS.finditer(text)):
        return True
    if _KEY_HEAD.search(text):
        return True
    if any(_is_key(found[0]) for found in _TOKEN.finditer(_ADDRESS.sub(" ", text))):
        return True
    if any(_has_value(text, found) for found in _WORD.finditer(text)):
        return True
    return any(_is_given(text[found.end() :][:_NEAR]) for found in _SOME_CODE.finditer(text))


def _is_given(after: str) -> bool:
    """Whether digits are given as the value of what was just named."""
    given = _GIVEN.search(after)
    return given is not None and re.search(r"\d", given["value"]) is not None


def _is_card(digits: str) -> bool:
    """Whether digits are as many as a card's, and the last one checks the others (Luhn)."""
    numbers = [int(digit) for digit in digits if digit.isdigit()]
    if not 12 <= len(numbers) <= 19 or len(set(numbers)) < 2:
        return False
    doubled = [number * 2 - 9 * (number > 4) for number in numbers[-2::-2]]
    return (sum(numbers[-1::-2]) + sum(doubled)) % 10 == 0


def _is_key(token: str) -> bool:
    """Whether a long word is made of letters and digits as by chance."""
    kinds = [any(map(kind, token)) for kind in (str.islower, str.isupper, str.isdigit)]
    if not any(letter.isdigit() for letter in token) or sum(kinds) < 2:
        return False
    counts = Counter(token).values()
    bits = -sum(n / len(token) * math.log2(n / len(token)) for n in counts)
    return bits >= MIN_BITS


def _has_value(text: str, word: re.Match[str]) -> bool:
    """Whether the value of what `word` names stands beside it."""
    after = text[word.end() : word.end() + _NEAR]
    if _CODE.match(after.lstrip(" :=#")):
        return True
    given = _GIVEN.search(after)
    if given is not None:
        rest = after[given.end() :].strip(" .!\"'”»’")
        # "my password is hunter2", and not "my password is too long to remember".
        if _CODE.match(given["value"]) or (given.start() == 0 and not rest):
            return True
    return bool(_GIVEN_BEFORE.search(text[max(0, word.start() - _NEAR) : word.start()]))
