"""Charts drawn on the server: numbers become rectangles in per cent of the drawing, with every value also as text."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, log10

KINDS = ("accent", "second", "success", "warning", "danger", "neutral")


def nice_ceiling(value: int) -> int:
    """The next of 1, 2, 4, 5, 10, 20, 40 … that is not below: a tick one can halve and read."""
    if value <= 2:
        return value
    unit = 10 ** int(log10(value))
    return next(step * unit for step in (1, 2, 4, 5, 10, 20) if step * unit >= value) if unit > 1 else _small(value)


def nice_size(value: int) -> int:
    """The same for bytes: so many of a binary unit."""
    unit = 1024 ** max(0, (value.bit_length() - 1) // 10)
    return nice_ceiling(ceil(value / unit)) * unit


def _small(value: int) -> int:
    return next((step for step in (2, 4, 6, 8, 10) if step >= value), ceil(value / 10) * 10)


@dataclass(frozen=True, slots=True)
class Series:
    """``kind`` chooses the colour; one value for each label of the chart."""

    label: str
    values: Sequence[int]
    kind: str = "accent"


@dataclass(frozen=True, slots=True)
class Rect:
    """In per cent, written with a point in every language."""

    x: str
    y: str
    width: str
    height: str
    kind: str
    title: str


@dataclass(frozen=True, slots=True)
class ColumnChart:
    """Stacked columns over ``labels``; ``ticks`` from the top down."""

    title: str
    series: Sequence[Series]
    labels: Sequence[str]
    write: Callable[[int], str] = str
    ceiling: Callable[[int], int] = nice_ceiling

    @property
    def top(self) -> int:
        return self.ceiling(max((sum(values) for values in zip(*self._values, strict=True)), default=0))

    @property
    def ticks(self) -> list[str]:
        top = self.top
        return [self.write(value) for value in ((top, top // 2, 0) if top > 1 else (top, 0))]

    @property
    def legend(self) -> list[tuple[str, str]]:
        """(label, kind) where there is more than one series."""
        return [(series.label, series.kind) for series in self.series] if len(self.series) > 1 else []

    @property
    def ends(self) -> list[str]:
        """Labels below the axis: the first, the middle and the last."""
        if len(self.labels) < 3:
            return list(self.labels)
        return [self.labels[0], self.labels[len(self.labels) // 2], self.labels[-1]]

    @property
    def is_empty(self) -> bool:
        return not any(any(values) for values in self._values)

    @property
    def rects(self) -> list[Rect]:
        found, step, top = [], 100 / max(1, len(self.labels)), max(1, self.top)
        for position, label in enumerate(self.labels):
            height = 0.0
            for series in self.series:
                value = series.values[position]
                if not value:
                    continue
                part = 100 * value / top
                height += part
                title = f"{label}: {self.write(value)} {series.label}"
                found.append(
                    Rect(*_percents(step * position + step * 0.15, 100 - height, step * 0.7, part), series.kind, title)
                )
        return found

    @property
    def rows(self) -> list[tuple[str, list[str]]]:
        """The same as a table."""
        return [
            (label, [self.write(series.values[position]) for series in self.series])
            for position, label in enumerate(self.labels)
        ]

    @property
    def _values(self) -> list[Sequence[int]]:
        return [series.values for series in self.series]


@dataclass(frozen=True, slots=True)
class Bar:
    """One line of a ranking. ``parts`` are (value, kind), drawn one after another."""

    label: str
    text: str
    parts: Sequence[tuple[int, str]]
    url: str = ""


@dataclass(frozen=True, slots=True)
class BarChart:
    """Lines of bars, all on the scale of the longest. ``legend`` says what the parts are: (label, kind)."""

    title: str
    bars: Sequence[Bar]
    legend: Sequence[tuple[str, str]] = ()

    @property
    def rows(self) -> list[tuple[Bar, list[Rect]]]:
        most = max((sum(value for value, _ in bar.parts) for bar in self.bars), default=0) or 1
        return [(bar, _stripe(bar, most)) for bar in self.bars]


def _stripe(bar: Bar, most: int) -> list[Rect]:
    rects, x = [], 0.0
    for value, kind in bar.parts:
        width = 100 * value / most
        rects.append(Rect(*_percents(x, 0, width, 100), kind, bar.text))
        x += width
    return rects


def percent(used: int, whole: int) -> int:
    """0 to 100; more than nothing is never shown as nothing."""
    if whole <= 0:
        return 100 if used > 0 else 0
    return max(1 if used > 0 else 0, min(100, round(100 * used / whole)))


def _percents(*values: float) -> tuple[str, str, str, str]:
    x, y, width, height = (f"{value:.3f}" for value in values)
    return x, y, width, height
