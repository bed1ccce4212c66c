"""Plots are SVG files with their words as text, the same for the same figures."""

from xml.etree import ElementTree

from ostcli.paper.intervals import Estimate
from ostcli.paper.plots import BASELINES, Bar, plot_bars, plot_lines, plot_panels

SOME = Estimate(0.3, 0.2, 0.4)


def words_of(svg: bytes) -> str:
    return " ".join(ElementTree.fromstring(svg).itertext())


def test_bars_have_names_and_published_figures():
    bars = [Bar(name="first", value=SOME, published=0.23), Bar(name="second", value=SOME)]
    nothing = [Bar(name="first", value=None), Bar(name="second", value=SOME)]
    panels = {"accuracy": bars, "realism": nothing}
    svg = plot_bars(panels, title="A title")

    words = words_of(svg)
    for word in ("first", "second", "published", "A title", "accuracy", "realism"):
        assert word in words
    assert svg == plot_bars(panels, title="A title")


def test_bars_without_anything_published_do_not_speak_of_it():
    svg = plot_bars({"accuracy": [Bar(name="first", value=SOME)]}, title="")

    assert "published" not in words_of(svg)


def test_a_baseline_has_its_colour_wherever_it_stands():
    for names in (("OST", "UNIT"), ("selective", "other", "UNIT, from phase I")):
        panels = {"accuracy": {name: {1: SOME} for name in names}}
        svg = plot_lines(panels, title="", x_axis="").decode()
        assert BASELINES["UNIT"] in svg
        assert BASELINES["CycleGAN"] not in svg


def test_lines_have_a_tick_at_each_place():
    lines = {"OST": {1: SOME, 5: SOME}, "UNIT": {1: SOME, 500: SOME}}
    panels = {"accuracy": lines, "realism": lines}
    words = words_of(plot_lines(panels, title="", x_axis="pictures of A"))

    for word in ("OST", "UNIT", "500", "pictures of A", "accuracy", "realism"):
        assert word in words


def test_panels_have_their_names():
    points = [(0.0, 1.0, 0.5), (1.0, 0.0, 1.0)]
    words = words_of(plot_panels({"one": points, "two": points}, title="Maps"))

    for word in ("one", "two", "Maps"):
        assert word in words
