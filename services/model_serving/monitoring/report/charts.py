"""Plots as SVG text. Colours are classes, so that the page's style sheet can follow the reader's dark mode."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from math import ceil, floor, log10

Point = tuple[float, float]
PLOT_WIDTH, PLOT_HEIGHT = 640, 200
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 10, 26
BAR_WIDTH, BAR_HEIGHT = 300, 96
TICKS = 4
LABEL_SIGNS = 12


@dataclass(frozen=True, slots=True)
class Line:
    """A series over time.

    Attributes:
        name: For the legend.
        points: Seconds since 1970 and values, in the order of time.
        band: Lower and upper ends of an interval at the same times; empty for none.
    """

    name: str
    points: Sequence[Point]
    band: Sequence[Point] = ()


def bars(labels: Sequence[str], reference: Sequence[float], window: Sequence[float]) -> str:
    """Draw shares by bin: the reference behind, the window in front."""
    most = max([*reference, *window, 1e-9])
    step = BAR_WIDTH / max(1, len(labels))
    room = BAR_HEIGHT - 14
    shapes = []
    for place, (label, before, now) in enumerate(zip(labels, reference, window, strict=True)):
        title = f"<title>{escape(label)}: {before:.1%} in training, {now:.1%} now</title>"
        for kind, share, offset, width in (("before", before, 0.06, 0.88), ("now", now, 0.26, 0.48)):
            height = share / most * room
            shapes.append(
                f'<rect class="{kind}" x="{(place + offset) * step:.1f}" y="{room - height:.1f}" '
                f'width="{width * step:.1f}" height="{height:.1f}">{title}</rect>'
            )
    first, last = (escape(_short(label)) for label in (labels[0], labels[-1])) if labels else ("", "")
    texts = (
        f'<text x="0" y="{BAR_HEIGHT - 2}">{first}</text>'
        f'<text x="{BAR_WIDTH}" y="{BAR_HEIGHT - 2}" text-anchor="end">{last}</text>'
        f'<line class="axis" x1="0" x2="{BAR_WIDTH}" y1="{room}" y2="{room}"/>'
    )
    return _svg(BAR_WIDTH, BAR_HEIGHT, "".join(shapes) + texts, "shares by bin")


def lines(series: Sequence[Line], *, unit: str, threshold: float | None = None, zero: bool = True) -> str:
    """Draw series over time with one axis.

    Args:
        series: At most eight, by the number of colours.
        unit: What the axis counts.
        threshold: A level to mark.
        zero: Whether the axis starts at 0.
    """
    points = [point for line in series for point in line.points]
    if not points:
        return '<p class="empty">nothing yet</p>'
    values = [value for _, value in points] + [end for line in series for pair in line.band for end in pair]
    marked = values if threshold is None else [*values, threshold]
    low, high = (0.0 if zero else min(marked)), max(marked)
    if high <= low:
        low, high = low - (0 if zero else 0.5), low + 1
    start, end = min(time for time, _ in points), max(time for time, _ in points)
    frame = _Frame(start, max(end, start + 1), low, high + (high - low) * 0.05)
    drawn = [frame.grid(unit)]
    if threshold is not None:
        level = frame.y(threshold)
        drawn.append(
            f'<line class="threshold" x1="{LEFT}" x2="{PLOT_WIDTH - RIGHT}" y1="{level:.1f}" y2="{level:.1f}"/>'
        )
    for place, line in enumerate(series):
        drawn.append(frame.draw(line, place))
    return _svg(PLOT_WIDTH, PLOT_HEIGHT, "".join(drawn), f"{unit} over time") + _legend(series)


@dataclass(frozen=True, slots=True)
class _Frame:
    start: float
    end: float
    low: float
    high: float

    def x(self, time: float) -> float:
        return LEFT + (time - self.start) / (self.end - self.start) * (PLOT_WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        return TOP + (self.high - value) / (self.high - self.low) * (PLOT_HEIGHT - TOP - BOTTOM)

    def grid(self, unit: str) -> str:
        parts = []
        for value in _ticks(self.low, self.high):
            height = self.y(value)
            parts.append(
                f'<line class="grid" x1="{LEFT}" x2="{PLOT_WIDTH - RIGHT}" y1="{height:.1f}" y2="{height:.1f}"/>'
            )
            parts.append(f'<text x="{LEFT - 6}" y="{height + 4:.1f}" text-anchor="end">{value:.3g}</text>')
        form = "%H:%M" if self.end - self.start < 2 * 86400 else "%d %b"
        for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
            moment = self.start + (self.end - self.start) * share
            text = datetime.fromtimestamp(moment, UTC).strftime(form)
            parts.append(f'<text x="{self.x(moment):.1f}" y="{PLOT_HEIGHT - 8}" text-anchor="{anchor}">{text}</text>')
        return "".join(parts) + f"<title>{escape(unit)}, times in UTC</title>"

    def draw(self, line: Line, place: int) -> str:
        path = " ".join(f"{self.x(time):.1f},{self.y(value):.1f}" for time, value in line.points)
        band = ""
        if line.band:
            times = [time for time, _ in line.points]
            below = [f"{self.x(time):.1f},{self.y(low):.1f}" for time, (low, _) in zip(times, line.band, strict=True)]
            above = [f"{self.x(time):.1f},{self.y(high):.1f}" for time, (_, high) in zip(times, line.band, strict=True)]
            band = f'<polygon class="band c{place}" points="{" ".join(below + above[::-1])}"/>'
        dots = "".join(
            f'<circle class="dot c{place}" cx="{self.x(time):.1f}" cy="{self.y(value):.1f}" r="2.2">'
            f"<title>{escape(line.name)}: {value:.4g}</title></circle>"
            for time, value in line.points
        )
        return f'{band}<polyline class="line c{place}" points="{path}"/>{dots}'


def _ticks(low: float, high: float) -> list[float]:
    """Return round values within a range: steps of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / TICKS
    power = 10 ** floor(log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    return [number * step for number in range(ceil(low / step), floor(high / step) + 1)]


def _legend(series: Sequence[Line]) -> str:
    names = "".join(f'<span><i class="c{place}"></i>{escape(line.name)}</span>' for place, line in enumerate(series))
    return f'<p class="legend">{names}</p>'


def _svg(width: int, height: int, content: str, name: str) -> str:
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(name)}">{content}</svg>'


def _short(text: str) -> str:
    return text if len(text) <= LABEL_SIGNS else f"{text[: LABEL_SIGNS - 1]}…"
