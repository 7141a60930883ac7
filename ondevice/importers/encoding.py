"""The encoding of text files: what they say, or what follows from all of their bytes.

A file in another encoding than UTF-8 is handed on as UTF-8, so that nobody else needs to know.
What a byte order mark says is certain.  Without one a file that is no UTF-8 is taken for UTF-16
or for Windows-1252 (of which Latin-1 is a part) only if all of it speaks for that: wrong letters
are worse than a file that is left out with a reason.
"""

from __future__ import annotations

import codecs
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, BinaryIO, cast

from ondevice.errors import ImportSourceError, ImportStoppedError, explain
from ondevice.importers.document import ImportFile, ImportOptions, Remark
from ondevice.importers.surrogates import BROKEN

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer as Buffer

BLOCK_BYTES = 1 << 18
UTF_8 = "utf-8"
WESTERN = "cp1252"
_MARKS = (  # the longer ones first: that of UTF-32 begins like that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NAMES = {"utf-16-le": "UTF-16", "utf-16-be": "UTF-16", WESTERN: "Windows-1252 (Western European)"}

# The letters beyond ASCII of languages that are written in Windows-1252, with those of the words
# and names that they borrow. Of another encoding the letters would be a mixture of several.
_ALPHABETS = tuple(
    frozenset(letters)
    for letters in (
        "äöüßéèêàáâçñëïóôøå",  # German
        "àâæçéèêëîïôœùûüÿñöäáó",  # French
        "áéíóúüñçàèïòöºª",  # Spanish, Catalan
        "áâãàçéêíóôõúüºª",  # Portuguese
        "àáèéìíîòóùúüöäç",  # Italian
        "åäöéèàüáôøæñç",  # Swedish, Finnish
        "æøåéèêóòôâàäöüáñç",  # Danish, Norwegian
        "áéíóúýðþæö",  # Icelandic
        "ëïéèêöüäáóúíàçñôû",  # Dutch, English
        "áéíóúàèìòù",  # Irish, Gaelic
        "õäöüé",  # Estonian
    )
)
_CASED = "a-zß-öø-ÿœšžƒ"
_IMPLAUSIBLE = re.compile(
    "[\x00-\x08\x0b\x0e-\x1f\x7f]"  # binary
    f"|[{_CASED}][À-ÖØ-ÞŒŠŽŸ]"  # a capital letter inside of a word
    "|(?<=[^\\W\\d_])[€‚ƒ„†‡ˆ‰‹‘“”•˜™›¡¢£¤¥¦§¨©«¬®¯°±²³´¶¸¹»¼½¾¿](?=[^\\W\\d_])"
    "|(?<=[^\\W\\d_])[¿¡‚„‹]"  # what opens a quotation or sentence does not end a word
    r"|[^\W\d_](?<!\b[mx])(?<!\b[kcdmµhn]m)(?<!\b(?:ft|in|yd|mi))[¹²³]"
    "|[^\\W\\d_](?<![A-Zn])[ºª]"
)
_MOST_SHARE = 0.4  # of the letters are beyond ASCII in such a language, by far
_ENOUGH = 12  # letters beyond ASCII, of which a share can be told
_OTHER_BLOCKS = frozenset({*range(0x20), 0x20, 0x21})  # high bytes of alphabets and punctuation


def head_of(head: bytes) -> bytes:
    """Return the first bytes of a file as UTF-8 as far as that can be told from them."""
    encoding = _marked(head) or (_wide(head[: len(head) // 2 * 2]) if b"\0" in head else None)
    if encoding is None:
        return head
    return codecs.getincrementaldecoder(encoding)("replace").decode(head).encode()


def readable(file: ImportFile, options: ImportOptions) -> ImportFile:
    """Return `file` so that it reads as UTF-8; itself if it is, or if nothing can be told.

    That its encoding was concluded from its content is noted in the options.
    """
    found = _Bytes()
    try:
        with file.open(check=True) as opened:
            for block in _blocks(opened, file):
                if not found.add(block):
                    break
    except ImportStoppedError:
        raise
    except ImportSourceError:  # whoever reads it comes to the same place, and keeps what is before
        return file
    if found.mark is not None:
        return _recoded(file, found.mark)
    if found.is_whole_utf_8():
        return file
    encoding, broken = _concluded(file)
    if encoding is None:
        return file
    if encoding == UTF_8:
        options.left_out[BROKEN] += broken
        return _recoded(file, UTF_8, "replace")
    why = f"{file} was read as {_NAMES[encoding]}, which is concluded from what it holds."
    options.guessed.append(Remark(file.name, why))
    return _recoded(file, encoding)


def _blocks(opened: BinaryIO, file: ImportFile) -> Iterator[bytes]:
    try:
        while block := opened.read(BLOCK_BYTES):
            yield block
    except OSError as error:
        raise ImportSourceError(f"{file} cannot be read: {explain(error)}.") from error


class _Bytes:
    """What a first walk finds out: whether there is a mark, and whether all of it is UTF-8."""

    def __init__(self) -> None:
        self.mark: str | None = None
        self._is_utf_8 = True
        self._first = True
        self._decoder = codecs.getincrementaldecoder(UTF_8)()

    def add(self, block: bytes) -> bool:
        """Look at a block; False if the rest does not matter."""
        if self._first:
            self._first, self.mark = False, _marked(block)
        try:
            self._decoder.decode(block)
        except UnicodeDecodeError:
            self._is_utf_8 = False
        if b"\0" in block:
            self._is_utf_8 = False
        return self.mark is None and self._is_utf_8

    def is_whole_utf_8(self) -> bool:
        """Whether all blocks together are UTF-8, to the end of the last character."""
        return self._is_utf_8 and not self._decoder.getstate()[0]


def _marked(head: bytes) -> str | None:
    return next((encoding for mark, encoding in _MARKS if head.startswith(mark)), None)


def _concluded(file: ImportFile) -> tuple[str | None, int]:
    """Return the encoding that all bytes of `file` speak for, if any, and how many are broken."""
    with replace(file, meter=None).open() as opened:
        head = opened.read(BLOCK_BYTES)
    if b"\0" in head:
        wide = _wide(head[: len(head) // 2 * 2])
        return wide if wide is not None and _is_whole(file, wide) else None, 0
    western, utf_8 = _Western(), _BrokenUtf8()
    with replace(file, meter=None).open() as opened:
        for block in _blocks(opened, file):
            western.add(block)
            utf_8.add(block)
            if utf_8.is_binary:
                return None, 0
    utf_8.finish()
    if utf_8.is_likely:
        return UTF_8, utf_8.broken
    return WESTERN if western.is_likely else None, 0


def _wide(data: bytes) -> str | None:
    """Return the byte order of UTF-16 without a mark, None if it does not look like it.

    The letters of a language and its punctuation stand in one or two blocks of 256, and every
    space is a zero and a space.
    """
    for high, encoding in ((data[1::2], "utf-16-le"), (data[0::2], "utf-16-be")):
        low = data[0::2] if encoding == "utf-16-le" else data[1::2]
        counts = Counter(high)
        zeros = counts.pop(0, 0)
        most = max(counts.values(), default=0)
        plausible = set(counts) <= _OTHER_BLOCKS and b"\0" not in low
        if plausible and zeros * 20 >= len(high) and (zeros + most) * 20 >= len(high) * 18:
            return encoding
    return None


def _is_whole(file: ImportFile, encoding: str) -> bool:
    """Whether all of `file` is sound text in that encoding, without what only programs write."""
    decoder = codecs.getincrementaldecoder(encoding)()
    with replace(file, meter=None).open() as opened:
        try:
            for block in _blocks(opened, file):
                if re.search("[\x00-\x08\x0e-\x1f]", decoder.decode(block)):
                    return False
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


class _BrokenUtf8:
    """Counts what is UTF-8 in a file that is not all of it: a byte may have been lost."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder(UTF_8)("replace")
        self._whole = self.broken = 0
        self.is_binary = False

    def add(self, block: bytes, *, final: bool = False) -> None:
        text = self._decoder.decode(block, final)
        if not text.isascii():
            replaced = text.count("\ufffd")
            self.broken += replaced
            self._whole += len(re.findall("[^\x00-\x7f]", text)) - replaced
        self.is_binary = self.is_binary or "\0" in text

    def finish(self) -> None:
        """Note that the file ends, perhaps within a character."""
        self.add(b"", final=True)

    @property
    def is_likely(self) -> bool:
        """Whether by far the most is whole; by chance hardly two bytes beyond ASCII are UTF-8."""
        return self._whole >= max(2, 2 * self.broken)


@dataclass
class _Western:
    """Looks for what speaks against Windows-1252."""

    letters: Counter[str] = field(default_factory=Counter)
    n_plain: int = 0
    refused: bool = False
    _held: str = ""

    def add(self, block: bytes) -> None:
        if self.refused:
            return
        try:
            text = self._held + block.decode(WESTERN)
        except UnicodeDecodeError:
            self.refused = True
            return
        self.refused = _IMPLAUSIBLE.search(text) is not None
        self._held = text[-4:]
        new = text[len(text) - len(block) :]
        self.letters.update(one for one in new.lower() if one > "\x7f" and one.isalpha())
        self.n_plain += sum(map(new.count, "etaoinsrhldu"))

    @property
    def is_likely(self) -> bool:
        """Whether nothing speaks against it and one language has all of the letters."""
        beyond = sum(self.letters.values())
        if self.refused or not any(alphabet.issuperset(self.letters) for alphabet in _ALPHABETS):
            return False
        return beyond < _ENOUGH or beyond <= _MOST_SHARE * (beyond + self.n_plain)


def _recoded(file: ImportFile, encoding: str, errors: str = "strict") -> ImportFile:
    """Return `file` as UTF-8; `errors` says what is done with what is no text."""

    def opener() -> BinaryIO:
        return cast("BinaryIO", io.BufferedReader(_Recoded(file, encoding, errors), BLOCK_BYTES))

    return replace(file, opener=opener)


class _Recoded(io.RawIOBase):
    """A file in another encoding, as UTF-8."""

    def __init__(self, file: ImportFile, encoding: str, errors: str) -> None:
        super().__init__()
        self._name, self._encoding = str(file), encoding
        self._decoder = codecs.getincrementaldecoder(encoding)(errors)
        self._ready, self._ended = b"", False
        self._file = file.opener()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        view = memoryview(buffer)
        while not self._ready and not self._ended:
            self._next()
        piece, self._ready = self._ready[: len(view)], self._ready[len(view) :]
        view[: len(piece)] = piece
        return len(piece)

    def _next(self) -> None:
        block = self._file.read(BLOCK_BYTES)
        self._ended = not block
        try:
            text = self._decoder.decode(block, final=self._ended)
        except UnicodeDecodeError as error:
            raise ImportSourceError(
                f"{self._name} is damaged: it begins as {self._encoding.upper()} text and does not "
                "go on so; save it again as UTF-8."
            ) from error
        self._ready = text.encode()

    def close(self) -> None:
        if not self.closed and hasattr(self, "_file"):
            self._file.close()
        super().close()
