"""What must never be trained on, whoever wrote it: numbers and words that open something.

A card number must pass Luhn's checksum and an account number ISO 7064 mod 97-10
(ISO 13616); keys and tokens are known by their shape or their entropy, and
passwords by the words before them. Rather too much is left out than too little:
a sentence that is missing costs the adapter nothing.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

MIN_TOKEN = 16  # characters of a key without a known shape
MIN_ENTROPY = 3.0  # bits a character: English words of that length stay below, random hex is ~3.4

_CARD = re.compile(r"(?<![\w-])\d(?:[ -]?\d){12,18}(?![\w-])")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){10,30}\b", re.IGNORECASE)
_EMAIL = re.compile(  # from where a word begins: else each of its letters would be tried
    r"(?<![\w.+-])[\w.+-]+\s*(?:@|\(at\)|\[at\])\s*[\w-]+(?:\s*(?:\.|\(dot\)|\[dot\])\s*[\w-]+)+"
)
_PHONE = re.compile(r"(?<![\w.,:/-])\+?\(?\d(?:[ ()./-]{0,2}\d){6,14}(?![\w/-]|[.,]\d)")
_DATE = re.compile(
    r"(?:\d{4}[-./]\d{1,2}[-./]\d{1,2}|\d{1,2}[-./ ]\d{1,2}[-./ ](?:\d{4}|\d{2}))"
    r"(?:[ T]\d{1,2}[.:]\d{2}(?:[.:]\d{2})?)?\Z"
)
_YEARS = re.compile(r"(?:1[5-9]|20)\d\d\s*[-–/]\s*(?:(?:1[5-9]|20)\d\d|\d\d)\Z")
_KEY_BLOCK = re.compile(
    r"-----BEGIN [^-\n]*(?:KEY|CERTIFICATE|MESSAGE)[^-\n]*-----.*?(?:-----END [^-\n]*-----|\Z)",
    re.DOTALL,
)
_KNOWN_KEY = re.compile(
    r"\b(?:sk|pk|rk)[-_](?:live|test|proj|ant|or)?[-_\w]{12,}"  # payment and model services
    r"|\bgh[pousr]_\w{16,}|\bgithub_pat_\w{16,}|\bglpat-[\w-]{12,}|\bhf_\w{16,}|\bnpm_\w{16,}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{12,}|\bAIza[\w-]{20,}|\bxox[abeprs]-[\w-]{8,}"
    r"|\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?|\bssh-(?:rsa|ed25519) [\w+/=]{16,}"
    r"|\bAGE-SECRET-KEY-\w+|\b(?:bc1|[xyz]prv)\w{20,}"
)
_TOKEN = re.compile(rf"(?<![\w+/=-])[\w+/=-]{{{MIN_TOKEN},}}(?![\w+/=-])")
_HEX = re.compile(r"(?:0x)?[0-9a-fA-F]+(?:-[0-9a-fA-F]+)*\Z")
_SOCIAL = re.compile(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])")
_PASSWORD = re.compile(
    r"\b(?:pass ?words?|pass ?codes?|pass ?phrases?|pins?(?: codes?| number)?|passwort|kennwort|"
    r"geheimzahl|contraseña|clave|mot de passe|credentials?|api[ _-]?keys?|access[ _-]?(?:keys?|"
    r"tokens?|codes?)|secret[ _-]?keys?|auth[ _-]?tokens?|seed phrase|recovery (?:codes?|phrase)|"
    r"security (?:code|answer)|door code|alarm code|combination|cvv|cvc|tan)\b"
    r"(?:\W+\w+){0,5}?\W*(?::|=|\bis\b|\bare\b|\bwas\b|['’]s\b|\blautet\b|\bist\b|\bes\b|\best\b)"
    r"\s*\S",
    re.IGNORECASE,
)
_LOGIN_IN_URL = re.compile(r"\b[a-z][a-z+.-]{0,30}://[^\s/@:]+:[^\s/@]+@", re.IGNORECASE)

# Where a text may be cut without harm: after a sentence, and between lines.
_CUT = re.compile(r"((?<=[.!?…])[\"'”’)\]]*\s+|\n+)")


def is_sensitive(text: str) -> bool:
    """Whether `text` holds something that must never be trained on."""
    return next(_findings(text), None) is not None


def without_sensitive(text: str) -> str:
    """Return `text` without the sentences and lines that hold something sensitive."""
    text = _KEY_BLOCK.sub("\n", text)
    if not is_sensitive(text):
        return text
    parts = _CUT.split(text)  # sentence, what separates it from the next, sentence, …
    kept = "".join(
        part + separator
        for part, separator in zip(parts[::2], [*parts[1::2], ""], strict=True)
        if not is_sensitive(part)
    ).strip()
    # What only shows in several sentences together (a number over two lines) takes all along.
    return "" if is_sensitive(kept) else kept


def _findings(text: str) -> Iterator[str]:
    """Yield the kinds of what is found."""
    if _KEY_BLOCK.search(text) or _KNOWN_KEY.search(text) or _LOGIN_IN_URL.search(text):
        yield "key"
    if _PASSWORD.search(text):
        yield "password"
    if _EMAIL.search(text):
        yield "e-mail"
    if _SOCIAL.search(text) or any(_is_phone(m[0]) for m in _PHONE.finditer(text)):
        yield "number"
    if any(luhn(m[0]) for m in _CARD.finditer(text)):
        yield "card"
    if any(_holds_iban(m[0]) for m in _IBAN.finditer(text)):
        yield "account"
    if any(_is_token(m[0]) for m in _TOKEN.finditer(text)):
        yield "token"


def luhn(number: str) -> bool:
    """Whether the digits of `number` pass the checksum of ISO/IEC 7812-1, as card numbers do."""
    digits = [int(c) for c in number if c.isdigit()]
    doubled = [sum(divmod(2 * d, 10)) for d in digits[-2::-2]]
    return (
        len(digits) >= 13 and len(set(digits)) > 1 and (sum(digits[::-2]) + sum(doubled)) % 10 == 0
    )


def iban(number: str) -> bool:
    """Whether `number` passes the checksum of ISO 13616, as bank account numbers do."""
    compact = "".join(number.split()).upper()
    if not re.fullmatch(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}", compact):
        return False
    return int("".join(str(int(c, 36)) for c in compact[4:] + compact[:4])) % 97 == 1


def _holds_iban(candidate: str) -> bool:
    """Whether `candidate` is an account number, perhaps with the next words behind it."""
    words = candidate.split()
    return any(iban("".join(words[:n])) for n in range(1, len(words) + 1)) or iban(candidate)


def _is_phone(candidate: str) -> bool:
    digits = sum(c.isdigit() for c in candidate)
    if _DATE.match(candidate) or _YEARS.match(candidate):
        return False
    if candidate.startswith(("+", "00", "(", "0")) and digits >= 7:
        return True
    separated = bool(re.search(r"\d[ ()./-]+\d", candidate))
    # Thousands ("12 000 000") are groups of three; a telephone number rarely is all through.
    thousands = re.fullmatch(r"\d{1,3}(?:[ .]\d{3})+", candidate)
    return digits >= 7 and thousands is None and (separated or digits in (10, 11))


def _is_token(candidate: str) -> bool:
    core = candidate.strip("=-_/")
    if _HEX.match(core) and len(core) >= 24 and re.search(r"\d", core):
        return True
    has_digit, has_letter = bool(re.search(r"\d", core)), bool(re.search(r"[A-Za-z]", core))
    if not (has_digit and has_letter) or len(core) < MIN_TOKEN:
        return False
    if re.fullmatch(r"[a-z]+(?:[-_/][a-z]+)*[-_/]?\d{1,4}", core):
        return False  # a name with a number: "holiday-in-portugal-2024"
    words = [word for word in re.split(r"[-_/]", core) if word]
    if all(re.fullmatch(r"[A-Za-z][a-z]*|\d{1,4}", word) for word in words) and len(words) > 2:
        return False  # words joined by dashes
    return entropy(core) >= MIN_ENTROPY


def entropy(text: str) -> float:
    """Return Shannon's entropy of the characters of `text`, in bits a character."""
    counts = Counter(text).values()
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts)
