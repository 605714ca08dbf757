"""The charts of the documentation are those of the figures that were kept."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.bench import charts

SVG = "{http://www.w3.org/2000/svg}"
PAGE = Path(__file__).parent.parent / "docs" / "performance.rst"


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
