"""What the benchmark makes of figures: comparisons with the file of a release, and charts."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.bench import charts, ratios
from tests.bench.capacity.cli import compared
from tests.bench.measure import Measured
from tests.bench.ratios import Spread
from tests.bench.rows import Metric, Row

SVG = "{http://www.w3.org/2000/svg}"
PAGE = Path(__file__).parent.parent / "docs" / "performance.rst"
ROW = Row("row", "a row", "work", (Metric("us", "", "us/frame"), Metric("threads", "", "")))


def rounds_of(*pairs: tuple[float, float]) -> Measured:
    """Return a row whose rounds took the official SDK and `fast` these times."""
    rounds = [
        {"official": {"us": theirs, "threads": 2.0}, "fast": {"us": ours, "threads": 1.0}}
        for theirs, ours in pairs
    ]
    return Measured(ROW, rounds)


def test_numbers_are_the_quartiles_of_the_ratios_of_each_round() -> None:
    """A time is compared with the official one of its own round; a count is taken as it is."""
    slow_machine = rounds_of((10, 1), (20, 4), (40, 12), (10, 4), (10, 5))
    assert ratios.of_rows([slow_machine], "wall") == {
        "row us fast / official": Spread(0.2, 0.3, 0.4),
        "row threads fast": Spread(1.0, 1.0, 1.0),
    }


def test_without_the_official_sdk_the_floor_is_what_counts() -> None:
    """The ratio is to the floor where the official SDK is missing, and to nothing without both."""
    times = {"floor": {"us": 4.0, "threads": 0.0}, "plain": {"us": 6.0, "threads": 1.0}}
    alone = {"plain": {"us": 6.0, "threads": 1.0}}
    assert "row us plain / floor" in ratios.of_rows([Measured(ROW, [times])], "wall")
    assert ratios.of_rows([Measured(ROW, [alone])], "wall")["row us plain"] == Spread(6, 6, 6)


@pytest.mark.parametrize(
    ("now", "is_slower"),
    [
        (Spread(0.55, 0.60, 0.65), True),  # all of it above
        (Spread(0.505, 0.60, 0.65), False),  # its lower quartile is within the noise of the file
        (Spread(0.511, 0.52, 0.53), False),  # above the noise, but by less than 5 %
        (Spread(0.40, 0.45, 0.47), False),  # faster
    ],
)
def test_slower_is_what_is_beyond_the_noise_of_both_runs(now: Spread, is_slower: bool) -> None:
    """A number is slower if its quartiles are apart from the file's, by 5 % at least."""
    before = {"a": Spread(0.48, 0.50, 0.51), "only before": Spread(1, 1, 1)}
    changes = ratios.slower(before, {"a": now, "only now": Spread(9, 9, 9)})
    assert [change.name for change in changes] == (["a"] if is_slower else [])


def test_the_worst_is_printed_first() -> None:
    """The lines name what was compared, what became slower, the worst first, and what is new."""
    before = {"a": Spread(1, 1, 1), "b": Spread(1, 1, 1), "c": Spread(0, 0, 0)}
    after = {"a": Spread(2, 2, 2), "b": Spread(3, 3, 3), "c": Spread(0, 0, 0), "d": Spread(1, 1, 1)}
    assert ratios.compared("0.1.0", before, after) == [
        "3 numbers compared with 0.1.0, 2 slower beyond the noise",
        "slower: b: 3 (3 to 3), was 1 (1 to 1)",
        "slower: a: 2 (2 to 2), was 1 (1 to 1)",
        "1 numbers are not in 0.1.0",
    ]


def test_what_was_nothing_and_now_is_something_is_slower() -> None:
    """A descriptor left where none was is found, although there is no ratio to zero."""
    before, after = {"left": Spread(0, 0, 0)}, {"left": Spread(1, 1, 1)}
    assert [change.name for change in ratios.slower(before, after)] == ["left"]


def test_a_file_keeps_what_was_not_measured_again(tmp_path: Path) -> None:
    """Saving some rows keeps the others, and loading returns what was saved."""
    path = tmp_path / "ratios" / "1.json"
    ratios.save(path, {"a": Spread(1, 2, 3), "b": Spread(1, 1, 1)}, "a machine")
    ratios.save(path, {"b": Spread(0.12345, 2, 2)}, "another one")
    assert ratios.load(path) == {"a": Spread(1, 2, 3), "b": Spread(0.1235, 2, 2)}
    assert '  "b": [0.1235, 2, 2]' in path.read_text().splitlines()


def test_a_release_is_named_by_its_version_or_its_file() -> None:
    """A version is the file of that release; a path is itself."""
    assert ratios.path_of("0.1.0") == ratios.FOLDER / "0.1.0.json"
    assert ratios.path_of("my.json") == Path("my.json")


def test_capacity_is_compared_within_each_round() -> None:
    """A recording is compared with the bare session and the official SDK of its own rounds."""
    rounds = [
        {
            ("stt", "fast", 60): {"cpu_us": bare},
            ("transcribe", "fast", 60): {"cpu_us": mine},
            ("stt", "official", 60): {"cpu_us": theirs},
        }
        for bare, mine, theirs in ((100, 150, 300), (200, 400, 400), (100, 110, 220))
    ]
    key = ("transcribe", "fast", 60)
    assert compared(rounds, key, "bare") == 1.5
    assert compared(rounds, key, "official") == 0.5
    assert compared(rounds, key, "asyncio") is None  # was not measured
    assert compared(rounds, ("stt", "fast", 60), "bare") is None  # is the bare one


def test_the_charts_are_those_of_the_newest_figures() -> None:
    """The committed files are what is drawn from the newest file of figures."""
    for name, svg in charts.drawn(charts.newest()).items():
        committed = (charts.TARGET / name).read_text(encoding="utf-8")
        assert committed == svg, "draw them anew: python -m tests.bench --charts"


def test_the_page_shows_every_chart() -> None:
    """The page contains each file, and there is no other chart."""
    shown = re.findall(r":file: _static/(bench-[\w-]+\.svg)", PAGE.read_text(encoding="utf-8"))
    assert shown == [chart.file for chart in charts.CHARTS]
    assert sorted(shown) == sorted(path.name for path in charts.TARGET.glob("bench-*.svg"))


def test_a_bar_is_as_long_as_its_figure(tmp_path: Path) -> None:
    """Twice the figure is twice the bar, and the number behind it is the figure."""
    numbers = {
        f"{name} {client} / official": [0.4, 0.5, 0.6] if client == "fast" else [0.9, 1.0, 1.1]
        for chart in charts.CHARTS
        for name, _ in chart.bars
        for client in ("plain", "fast")
    }
    path = tmp_path / "1.2.3.json"
    path.write_text(json.dumps({"version": "1.2.3", "about": ["A <b>."], "numbers": numbers}))
    for svg in charts.drawn(path).values():
        root = ElementTree.fromstring(svg)
        _, _, plain, fast, *_ = (float(each.get("width", "")) for each in root.iter(f"{SVG}rect"))
        assert plain == pytest.approx(2 * fast, abs=0.2)
        texts = [each.text for each in root.iter(f"{SVG}text")]
        assert "1.00" in texts and "0.50" in texts
        assert any("soniox-sync 1.2.3. A <b>." in (text or "") for text in texts)
        # drawn in the colour of the text, whatever the theme
        assert not re.search(r"#[0-9a-f]{3}|rgb\(", svg)


def test_releases_are_compared_as_numbers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """0.10.0 is newer than 0.9.0."""
    for name in ("0.9.0.json", "0.10.0.json"):
        (tmp_path / name).touch()
    monkeypatch.setattr(charts.ratios, "FOLDER", tmp_path)
    assert charts.newest().stem == "0.10.0"
