"""Why something was refused or failed, in the reader's language.

Services, and the jobs they start, say it in English, to clients of the API and to logs. What a page shows of it goes
through here: a sentence that portal.sentences lists is known again with the values in it, and translated. One that is
not listed stays as it came.
"""

import re
from functools import cache

from django.utils.translation import get_language, gettext

from portal.sentences import SENTENCES

_VALUE = re.compile(r"%\((\w+)\)s")


def said(text: str) -> str:
    """The text in the language of the page."""
    if (get_language() or "en").startswith("en"):
        return text
    found = known(text)
    if found is None:
        return text
    sentence, values = found
    if "reason" in values:
        values["reason"] = said(values["reason"])
    return gettext(sentence) % values


def known(text: str) -> tuple[str, dict[str, str]] | None:
    """The sentence that the text is, and the values in it."""
    for sentence, pattern in _patterns():
        found = pattern.fullmatch(text)
        if found:
            return sentence, found.groupdict()
    return None


@cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    longest_first = sorted(SENTENCES, key=lambda sentence: -len(_VALUE.sub("", sentence)))
    return [(sentence, re.compile(_pattern(sentence), re.DOTALL)) for sentence in longest_first]


def _pattern(sentence: str) -> str:
    parts = _VALUE.split(sentence)  # texts and names in turn
    texts = [re.escape(part.replace("%%", "%")) for part in parts[::2]]
    values = [f"(?P<{name}>.+)" for name in parts[1::2]]
    return "".join(text + value for text, value in zip(texts, [*values, ""], strict=True))
