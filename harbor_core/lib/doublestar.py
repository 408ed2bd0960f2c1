"""The globs of rules and policies: ``*`` any text without a slash, ``?`` one character, ``[a-z]`` and ``[^a-z]`` a
class, ``{a,b}`` alternatives, ``\\`` takes the next character literally, and ``**`` as a whole component any number of
components.

Harbor matches with Go's ``doublestar`` 1.3.4, and rules written for it must mean the same here, its corners included:
``a*{b,}`` does not match ``ax`` (what follows a star has to match a character), and a pattern may turn out bad only on
the names that reach its bad part (:class:`BadPattern`). tests/lib/doublestar holds that library's answers.

Every pair of a rest of the pattern and a rest of the name is looked at once, so that no pattern takes exponential time;
:func:`validate` bounds their number.
"""

from functools import lru_cache
from typing import Final

MAX_LENGTH = 2048
MAX_WILDCARDS = 64  # stars and alternatives


class BadPattern(ValueError):
    """An open class, brace or backslash."""


class _Bad:
    """As a result, so that it is remembered like any other."""


_BAD: Final = _Bad()
_Rests = tuple[str, ...]  # what is left of the pattern behind the component's slash, once per way to get there
_Found = _Rests | _Bad | None  # of one component: None when it does not match, empty when the pattern ends with it


@lru_cache(50_000)
def match(pattern: str, name: str) -> bool:
    """Does the whole name match? Raises :class:`BadPattern`."""
    result = _Match().path(pattern, _components(name))
    if isinstance(result, _Bad):
        raise BadPattern(f"{pattern[:100]!r} is not a pattern")
    return result


def validate(pattern: str) -> None:
    """Raise :class:`BadPattern` for what cannot be read, or is too long to be matched quickly."""
    if len(pattern) > MAX_LENGTH:
        raise BadPattern(f"a pattern may have {MAX_LENGTH} characters")
    if pattern.count("*") + pattern.count("{") > MAX_WILDCARDS:
        raise BadPattern(f"a pattern may have {MAX_WILDCARDS} stars and alternatives")
    if not _is_sound(pattern):
        raise BadPattern(f"{pattern[:100]!r} has a [, {{ or \\ that is not finished")


def _is_sound(pattern: str) -> bool:
    at, depth = 0, 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "\\":
            if at == len(pattern):
                return False
            at += 1
        elif char == "[":
            end = _find(pattern[at:], "]")
            if end == -1 or isinstance(_in_class(pattern[at : at + end], ""), _Bad):
                return False
            at += end + 1
        elif char == "{":
            depth += 1
        elif char == "}" and depth:
            depth -= 1
    return depth == 0


def _find(text: str, char: str) -> int:
    """Where the character stands without a backslash before it, -1 for nowhere."""
    at = text.find(char)
    while at > 0 and text[at - 1] == "\\":
        at = text.find(char, at + 1)
    return at


def _components(name: str) -> _Rests:
    parts = []
    while (slash := _find(name, "/")) != -1:
        parts.append(name[:slash])
        name = name[slash + 1 :]
    return (*parts, name)


def _alternatives(text: str) -> tuple[list[str], str] | _Bad:
    """What stands in a brace that has just been opened, taken apart at its own commas, and what follows it."""
    options: list[str] = []
    start, depth, at = 0, 1, 0
    while at < len(text):
        char = text[at]
        if char == "\\":
            at += 1
        elif char == "{":
            depth += 1
        elif char == "}":
            depth -= 1
            if depth == 0:
                return [*options, text[start:at]], text[at + 1 :]
        elif char == "," and depth == 1:
            options.append(text[start:at])
            start = at + 1
        at += 1
    return _BAD


def _in_class(spec: str, char: str) -> bool | _Bad:
    """Is the character in ``a-z0`` or, behind a ``^``, outside of it?"""
    if not spec:
        return _BAD
    found, negated = False, spec[0] == "^"
    at = int(negated)
    while at < len(spec):
        bounds = []
        for _ in range(2):
            if at >= len(spec) or spec[at] == "-":
                return _BAD
            at += spec[at] == "\\"
            if at >= len(spec):
                return _BAD
            bounds.append(spec[at])
            at += 1
            if spec[at : at + 1] != "-" or len(bounds) == 2:
                break
            at += 1
        found |= bounds[0] <= char <= bounds[-1]
    return found is not negated


def _matches_nothing(pattern: str) -> bool | _Bad:
    """Does what is left of a component's pattern match the empty rest of a name?"""
    if pattern in ("", "*", "**"):
        return True
    if not pattern.startswith("{"):
        return False
    split = _alternatives(pattern[1:])
    if isinstance(split, _Bad):
        return _BAD
    options, rest = split
    behind = _matches_nothing(rest)
    if behind is not True:
        return behind
    for option in options:
        empty = _matches_nothing(option)
        if empty:
            return empty
    return False


class _Match:
    """One match; remembers what it has looked at."""

    def __init__(self) -> None:
        self._paths: dict[tuple[str, int], bool | _Bad] = {}
        self._parts: dict[tuple[str, str], _Found] = {}
        self._stars: dict[tuple[str, str], _Found] = {}

    def path(self, pattern: str, names: _Rests) -> bool | _Bad:
        key = (pattern, len(names))
        if key not in self._paths:
            self._paths[key] = self._path(pattern, names)
        return self._paths[key]

    def _path(self, pattern: str, names: _Rests) -> bool | _Bad:
        if not pattern:
            return names == ("",)
        if pattern == "**":
            return True
        if pattern.startswith("**/"):
            return any(self.path(pattern[3:], names[at:]) is True for at in range(len(names)))
        rests = self.component(pattern, names[0])
        if rests is None or isinstance(rests, _Bad):
            return rests or False
        if len(names) == 1:
            return not rests
        for rest in rests:
            result = self.path(rest, names[1:])
            if result:
                return result
        return False

    def component(self, pattern: str, name: str) -> _Found:
        key = (pattern, name)
        if key not in self._parts:
            self._parts[key] = self._component(pattern, name)
        return self._parts[key]

    def _component(self, pattern: str, name: str) -> _Found:
        at = 0
        for position, char in enumerate(name):
            if at >= len(pattern) or pattern[at] == "/":
                return None
            special = pattern[at]
            at += 1
            if special == "*":
                return self._star(pattern[at:], name[position:])
            if special == "{":
                return self._brace(pattern[at:], name[position:])
            if special == "[":
                end = _find(pattern[at:], "]")
                inside = _BAD if end == -1 else _in_class(pattern[at : at + end], char)
                if inside is not True:
                    return inside or None
                at += end + 1
            elif special == "\\":
                if at >= len(pattern):
                    return _BAD
                if pattern[at] != char:
                    return None
                at += 1
            elif special not in ("?", char):
                return None
        return self._end(pattern[at:])

    def _end(self, pattern: str) -> _Found:
        """The name is used up."""
        slash = _find(pattern, "/")
        empty = _matches_nothing(pattern if slash == -1 else pattern[:slash])
        if empty is not True:
            return empty or None
        return () if slash == -1 else (pattern[slash + 1 :],)

    def _star(self, pattern: str, name: str) -> _Found:
        if not pattern:
            return ()
        if pattern[0] == "/":
            return (pattern[1:],)
        result: _Found = None
        seen = []
        for at in range(len(name)):
            key = (pattern, name[at:])
            if key in self._stars:
                result = self._stars[key]
                break
            seen.append(key)
            result = self.component(*key)
            if result is not None:
                break
        self._stars |= dict.fromkeys(seen, result)  # from each of them on, this is the first that matches
        return result

    def _brace(self, pattern: str, name: str) -> _Found:
        split = _alternatives(pattern)
        if isinstance(split, _Bad):
            return _BAD
        options, behind = split
        found: list[_Rests] = []
        for option in options:
            result = self.component(option + behind, name)
            if isinstance(result, _Bad):
                return _BAD
            if result is not None:
                found.append(result)
        return tuple(dict.fromkeys(rest for rests in found for rest in rests)) if found else None
