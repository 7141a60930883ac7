"""Secrets are known by their form."""

from __future__ import annotations

import pytest

from ondevice.memory.forming.secrets import holds_secret


@pytest.mark.parametrize(
    "text",
    [
        "my wifi password is hunter2",
        "My PIN is 4711",
        "PIN 4711",
        "the PIN for my card is 4711",
        "1984 is the pin of my card",
        "Passwort: geheim",
        "Mein Kennwort ist Sommer",
        "mi contraseña es Pepe2020",
        "mot de passe : azerty",
        "le code de la porte est 45B12",
        "the code of my alarm is 9981",
        "my Visa is 4111 1111 1111 1111",
        "My Amex is 378282246310005",
        "key sk-live-abcdefgh12345678",
        "ghp_16charsABCDEFGHIJ1234",
        "token 9fK2mQ7xLp4RtB8wZc1V",
        "-----BEGIN RSA PRIVATE KEY-----",
    ],
)
def test_secrets_are_found(text: str) -> None:
    assert holds_secret(text)


@pytest.mark.parametrize(
    "text",
    [
        "I always forget my passwords",
        "my password is too long to remember",
        "my password manager is Bitwarden",
        "I pin photos of 1990 on the wall",
        "In 1990 I got a pin for my jacket",
        "my zip code is 90210",
        "I write code in 3 languages",
        "call me on +49 170 1234567",
        "I was born in 1984 and live in 10115 Berlin",
        "see https://example.org/a-very-long-path/with-many-words-in-it-2024",
        "Donaudampfschifffahrtsgesellschaft is my favourite word",
        "la clave de mi vida es la familia",
    ],
)
def test_other_words_are_not(text: str) -> None:
    assert not holds_secret(text)
