"""The plots of the report."""

from xml.etree import ElementTree as ET

import pytest

from services.model_serving.monitoring.report.charts import Line, bars, lines


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg[: svg.index("</svg>") + 6])  # noqa: S314 - what our own code wrote


class TestLines:
    @pytest.mark.parametrize(
        "points", [[(0.0, 1.0)], [(0.0, 0.0), (60.0, 0.0)], [(0.0, -5.0), (1e6, 1e-9)], [(0.0, 3e8), (60.0, 4e8)]]
    )
    @pytest.mark.parametrize("zero", [True, False])
    def test_any_range_has_axes_and_every_point(self, points: list[tuple[float, float]], zero: bool) -> None:
        svg = parsed(lines([Line("a", points)], unit="ms", zero=zero))
        assert len(svg.findall("circle")) == len(points)
        assert len([line for line in svg.findall("line") if line.get("class") == "grid"]) >= 2

    def test_values_of_the_axis_are_round(self) -> None:
        svg = parsed(lines([Line("a", [(0.0, 0.0), (60.0, 0.87)])], unit="PSI"))
        values = [text.text for text in svg.findall("text") if text.get("text-anchor") == "end"][:5]
        assert values[:2] == ["0", "0.5"]

    def test_names_are_text_and_no_markup(self) -> None:
        assert "<b>" not in lines([Line("<b>", [(0.0, 1.0)])], unit="<b>")

    def test_nothing_is_said(self) -> None:
        assert "nothing yet" in lines([], unit="ms")


class TestBars:
    def test_each_bin_has_both_shares(self) -> None:
        svg = parsed(bars(["low", "<high>"], [0.4, 0.6], [0.5, 0.5]))
        assert [shape.get("class") for shape in svg.findall("rect")] == ["before", "now"] * 2
        assert svg.findall("rect")[2].find("title").text == "<high>: 60.0% in training, 50.0% now"
