"""Names that somebody else chose, for people to read: of files, of accounts, and what a foreign server says.

A name can hold line ends that forge a line of a log, signs that a terminal obeys, marks that turn the text around, and
bytes that are no text at all.
"""

from collections.abc import Iterable

LONGEST = 100
"""Signs of a name that are shown."""
LONGEST_PATH = 500
"""Signs of a path that are shown."""
MOST = 10
"""Names that are listed."""


def shown(name: str | bytes, longest: int = LONGEST) -> str:
    r"""A name with everything escaped that is not seen as itself; a long one without its end.

    Args:
        name: As it came: bytes, or text in which bytes that are no text stand as Python's ``surrogateescape`` puts
            them.
        longest: How many signs to show.

    >>> shown(b"us\xe9rs\n.csv")
    'us\\xe9rs\\n.csv'
    """
    text = name.decode(errors="surrogateescape") if isinstance(name, bytes) else name
    plain = "".join(sign if sign.isprintable() else _escaped(sign) for sign in text[: longest + 1])
    return plain if len(plain) <= longest else plain[: longest - 1] + "…"


def listed(names: Iterable[str]) -> list[str]:
    """The first few names, in order, each as it is shown; the last entry says how many more there are."""
    ordered = sorted(names)
    rest = len(ordered) - MOST
    return [shown(name) for name in ordered[:MOST]] + ([f"{rest:,} more"] if rest > 0 else [])


def named(names: Iterable[str]) -> str:
    """Names as a part of a sentence: the first few, and how many more there are."""
    *most, last = listed(names) or [""]
    return f"{', '.join(most)} and {last}" if len(most) == MOST else ", ".join([*most, last])


def is_text(name: str) -> bool:
    """Whether a name is text, and can be written down as such: no byte of it stands for itself."""
    return name.isascii() or not any("\ud800" <= sign <= "\udfff" for sign in name)


def _escaped(sign: str) -> str:
    r"""One sign as an escape: ``\n``, ``\x1b``, ``\u202e``; for a byte that is no text, the byte."""
    code = ord(sign)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return sign.encode("unicode_escape", "surrogatepass").decode()
