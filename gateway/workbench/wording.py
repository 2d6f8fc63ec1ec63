"""Texts for a terminal: nothing in them that steers it, and numbers with the right noun."""


def plain(text: str) -> str:
    """One line of text, whatever file it is from: nothing in it breaks the line or steers a
    terminal (CWE-150)."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def counted(count: int, noun: str) -> str:
    """`1 record`, `2 records`, `1,000 records`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
