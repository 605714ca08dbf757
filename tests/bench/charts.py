"""Charts of a release's figures, drawn as SVG for docs/performance.rst.

`python -m tests.bench --charts` draws them anew from the newest file in `ratios/`, as a run with
`--save` does. The pages contain the SVG itself, so that `currentColor` is the text's
colour, in the light and in the dark theme. A test compares the files with what is drawn here.
"""

from __future__ import annotations

import json
import textwrap
from html import escape
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

from tests.bench import ratios
from tests.bench.ratios import Spread

TARGET = Path(__file__).parents[2] / "docs" / "_static"
# as wide as a phone: text keeps its size there
_WIDTH, _LEFT, _RIGHT = 360, 8, 8
_ROW, _BAR, _TEXT = 50, 10, 12
_CLIENTS = (("plain", 0.45), ("fast", 0.9))


class Chart(NamedTuple):
    """One file: its title, and the figures it shows with their labels."""

    file: str
    title: str
    bars: Tuple[Tuple[str, str], ...]  # name of the figure without the client, label


CHARTS = (
    Chart(
        "bench-work.svg",
        "CPU time of work, official SDK = 1",
        (
            ("tts-ws cpu_us", "TTS frame of 9,600 B, ws"),
            ("tts-wss cpu_us", "TTS frame of 9,600 B, wss"),
            ("multi-ws cpu_us", "5 interleaved TTS streams, ws"),
            ("multi-wss cpu_us", "5 interleaved TTS streams, wss"),
            ("stt cpu_us", "STT frame of 20 tokens, to objects"),
            ("uplink cpu_us", "uplink frame of 3,840 B"),
        ),
    ),
    Chart(
        "bench-start.svg",
        "Time to start, official SDK = 1",
        (
            ("import total_ms", "import and a client"),
            ("connect-ws ms", "connect, ws"),
            ("connect-wss ms", "connect, wss"),
        ),
    ),
)


def newest() -> Path:
    """Return the file of the newest release that was measured."""
    return max(ratios.FOLDER.glob("*.json"), key=lambda path: _version(path.stem))


def _version(name: str) -> Tuple[int, ...]:
    return tuple(int(part) for part in name.split("."))


def drawn(path: Path) -> Dict[str, str]:
    """Return the charts of a release's file, by the name of each."""
    numbers = ratios.load(path)
    about: List[str] = json.loads(path.read_text(encoding="utf-8"))["about"]
    return {chart.file: _svg(chart, numbers, path.stem, about) for chart in CHARTS}


def write() -> None:
    """Draw the charts of the newest release into the documentation."""
    for name, svg in drawn(newest()).items():
        (TARGET / name).write_text(svg, encoding="utf-8")


def _svg(chart: Chart, numbers: Dict[str, Spread], version: str, about: List[str]) -> str:
    shown = {
        (label, client): numbers[f"{name} {client} / official"]
        for name, label in chart.bars
        for client, _ in _CLIENTS
    }
    most = max(spread.high for spread in shown.values())
    scale = (_WIDTH - _LEFT - _RIGHT - 34) / max(most, 1.0)  # 34: room for a number behind a bar
    notes = textwrap.wrap(f"soniox-sync {version}. {' '.join(about)}", 66)
    top, bottom = 66, 66 + _ROW * len(chart.bars)
    height = bottom + 14 * len(notes) + 16
    lines = [
        _opening(height, _spoken(chart, shown)),
        _text(_LEFT, 16, chart.title, 14, bold=True),
        *_legend(),
        *_axis(scale, [top + _ROW * index for index in range(len(chart.bars))]),
    ]
    for index, (_, label) in enumerate(chart.bars):
        lines += _bars(label, shown, scale, top + _ROW * index)
    lines += [_text(_LEFT, bottom + 20 + 14 * at, note, 10) for at, note in enumerate(notes)]
    return "\n".join([*lines, "</svg>", ""])


def _opening(height: int, spoken: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img"'
        f' aria-label="{escape(spoken)}" style="width:100%;max-width:34rem"'
        ' font-family="inherit" fill="currentColor">'
    )


def _spoken(chart: Chart, shown: Dict[Tuple[str, str], Spread]) -> str:
    """Return the chart's figures as a sentence, for those who do not see it."""
    parts = [f"{label}, {client}: {spread.median:.2f}" for (label, client), spread in shown.items()]
    return f"{chart.title}. {'; '.join(parts)}."


def _legend() -> Iterator[str]:
    for index, (client, opacity) in enumerate(_CLIENTS):
        left = _LEFT + 150 * index
        label = "plain install" if client == "plain" else "with the extra fast"
        yield _rect(left, 27, 10, _BAR, opacity)
        yield _text(left + 16, 36, label, _TEXT)


def _axis(scale: float, tops: List[int]) -> Iterator[str]:
    """Yield the line of the official SDK, at 1: beside the bars, not through their labels."""
    at = _LEFT + scale
    for top in tops:
        yield (
            f'<line x1="{at:.1f}" y1="{top + 11}" x2="{at:.1f}" y2="{top + 39}"'
            ' stroke="currentColor" stroke-dasharray="3 3" stroke-opacity="0.6"/>'
        )
    yield _text(at, tops[0] - 15, "1", _TEXT, anchor="middle")


def _bars(
    label: str, shown: Dict[Tuple[str, str], Spread], scale: float, top: int
) -> Iterator[str]:
    yield _text(_LEFT, top + 8, label, _TEXT)
    for index, (client, opacity) in enumerate(_CLIENTS):
        spread, y = shown[label, client], top + 13 + 14 * index
        yield _rect(_LEFT, y, spread.median * scale, _BAR, opacity)
        yield _whisker(spread, scale, y + _BAR / 2)
        end = max(spread.median, spread.high) * scale
        yield _text(_LEFT + end + 5, y + 9, f"{spread.median:.2f}", 10)


def _whisker(spread: Spread, scale: float, y: float) -> str:
    """Return the line from the lower to the upper quartile of the rounds."""
    low, high = (_LEFT + value * scale for value in (spread.low, spread.high))
    return (
        f'<line x1="{low:.1f}" y1="{y:g}" x2="{high:.1f}" y2="{y:g}" stroke="currentColor"'
        ' stroke-opacity="0.7"/>'
    )


def _rect(x: float, y: float, width: float, height: float, opacity: float) -> str:
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:.1f}" height="{height:g}"'
        f' fill-opacity="{opacity:g}"/>'
    )


def _text(
    x: float, y: float, text: str, size: int, *, bold: bool = False, anchor: Optional[str] = None
) -> str:
    weight = ' font-weight="bold"' if bold else ""
    where = f' text-anchor="{anchor}"' if anchor else ""
    return f'<text x="{x:.1f}" y="{y:g}" font-size="{size}"{weight}{where}>{escape(text)}</text>'
