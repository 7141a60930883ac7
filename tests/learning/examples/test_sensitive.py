"""What opens something never enters training; ordinary numbers and words do."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ondevice.learning.examples.sensitive import iban, is_sensitive, luhn, without_sensitive

SENSITIVE = [
    "My card is 4111 1111 1111 1111 ok",
    "Pay to DE89 3704 0044 0532 0130 00 please",
    "GB82WEST12345698765432",
    "mail me: anna.k@example.org",
    "anna (at) example (dot) org",
    "call +49 170 1234567",
    "ring 030 1234567 tonight",
    "The wifi password is hunter2",
    "my PIN is 4711",
    "Das Passwort lautet Sommer",
    "sk-proj-abcdefghijk1234567",
    "AKIAIOSFODNN7EXAMPLE",
    "commit 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
    "key aB3dE5fG7hI9jK1lM",
    "https://bob:pw@host/x",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0.abc",
    "ssn 078-05-1120",
    "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n-----END OPENSSH PRIVATE KEY-----",
]
ORDINARY = [
    "We met on 2024-05-03 and 03.05.2024 at 12:30.",
    "The war 1914-1918 was long.",
    "It cost 12,000,000 euros or 12 000 000.",
    "I ran 10 km in 52 minutes 31 seconds.",
    "Donaudampfschifffahrtsgesellschaft is long",
    "the holiday-in-portugal-2024 folder",
    "Remember the passwords chapter of the book",
    "Half past 7, 3 eggs, 200 g flour, 100 ml milk",
    "Bus 100 200 300, pages 112-118, 204-209",
]


@pytest.mark.parametrize("text", SENSITIVE)
def test_sensitive_is_found_and_cut_out(text):
    assert is_sensitive(text)
    assert is_sensitive(f"Yesterday it rained. {text}\nToday it did not.")
    kept = without_sensitive(f"Yesterday it rained.\n{text}\nToday it did not.")
    assert kept.startswith("Yesterday it rained.")
    assert kept.endswith("Today it did not.")
    assert not is_sensitive(kept)


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_stays_as_it_is(text):
    assert without_sensitive(text) == text


@given(st.lists(st.integers(0, 9), min_size=14, max_size=18).filter(lambda d: len(set(d)) > 2))
def test_luhn_accepts_exactly_one_check_digit(digits):
    number = "".join(map(str, digits))
    assert sum(luhn(f"{number}{check}") for check in range(10)) == 1


@given(st.text("0123456789", min_size=18, max_size=18))
def test_iban_accepts_exactly_one_check_number(account):
    fitting = [n for n in range(2, 99) if iban(f"DE{n:02d}{account}")]
    assert len(fitting) == 1
    assert is_sensitive(f"to DE{fitting[0]:02d} {account} today")


@given(st.text(max_size=300))
def test_what_is_left_is_never_sensitive(text):
    assert not is_sensitive(without_sensitive(text))


@pytest.mark.parametrize("text", ["a" * 30_000, "1" * 30_000, "a." * 15_000, "a@b." * 7_000])
def test_a_word_without_end_costs_a_moment(text):
    """What takes quadratic time takes a minute at this length."""
    began = time.monotonic()
    without_sensitive(text)
    assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    "text", ["Write to ...anna.b+c@d-e.org.", "-x-http://anna:word@host/", "see:ssh+git://a:b@c"]
)
def test_addresses_and_logins_are_found_wherever_they_begin(text):
    assert is_sensitive(text)
