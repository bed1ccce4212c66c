from dataclasses import replace

import pytest

from ostcli.paper.domain import train_classifier
from ostcli.paper.intervals import Estimate
from ostcli.paper.scores import (
    Digest,
    Estimated,
    Gathered,
    Measured,
    PictureScores,
    Scores,
    estimated_of_real,
    figures_of,
    known_figures,
    measure,
)
from ostcli.paper.tables import compared, markdown_table, table_of_estimates


@pytest.fixture
def sources(pictures):
    return pictures(4)


@pytest.fixture
def gather(network):
    def of(pictures):
        gathered = Gathered()
        for picture in pictures:
            gathered.add(Digest.of(network(picture)))
        return gathered

    return of


@pytest.fixture
def folder(pictures, gather):
    return gather(picture.point(lambda level: level // 3 + 150) for picture in pictures(9)[4:])


@pytest.fixture
def classifier(folder, sources, gather):
    return train_classifier(gather(sources).summaries, folder.summaries)


@pytest.fixture
def measure_all(network, sources):
    def of(results, truths=None):
        measured = Measured()
        for index, result in enumerate(results):
            source = sources[index]
            truth = truths[index] if truths else None
            both = network(source), network(result)
            measured.add(measure(result, source, truth=truth, features=both))
        return measured

    return of


def test_doing_nothing_changes_no_content(measure_all, sources, folder, classifier):
    estimated = measure_all(sources).estimated(folder, classifier)
    together = estimated.means
    assert together.content == 0
    assert [row.content for row in estimated.of_each] == [0] * 4
    assert together.error is together.detail is together.within is None


def test_the_average_is_that_of_the_pictures(measure_all, sources, folder, classifier):
    results = [picture.point(lambda level: level // 2) for picture in sources]
    truths = [picture.point(lambda level: level // 4) for picture in sources]
    estimated = measure_all(results, truths).estimated(folder, classifier)
    for name in ("content", "domain", "artefacts", "error", "detail", "within"):
        average = sum(getattr(row, name) for row in estimated.of_each) / 4
        assert estimated.scores[name].value == pytest.approx(average), name
    assert all(row.error > 0 for row in estimated.of_each)


def test_the_folder_itself_is_nearest_in_style(measure_all, folder, sources, classifier):
    of_folder = estimated_of_real([folder], folder, classifier).means
    of_sources = measure_all(sources).estimated(folder, classifier).means
    assert of_folder.style == pytest.approx(0, abs=1e-5)
    assert of_sources.style > 0.1
    assert of_sources.domain < 0.5 < of_folder.domain
    assert of_sources.kid > of_folder.kid


def test_figures_have_intervals(measure_all, gather, sources, folder, classifier):
    turned = [source.rotate(180) for source in sources]
    estimated = measure_all(turned).estimated(folder, classifier)

    assert set(estimated.scores) == {"content", "domain", "artefacts", "style", "kid"}
    for figure, estimate in estimated.scores.items():
        assert estimate.low < estimate.value < estimate.high, figure
    together = figures_of(gather(turned), folder)
    assert estimated.means.style == pytest.approx(together["style"])
    assert estimated.means.kid == pytest.approx(together["kid"], rel=1e-4)


def test_many_results_are_left_out_in_parts(measure_all, gather, sources, folder, monkeypatch):
    every = measure_all(sources).estimated(folder, None)
    monkeypatch.setattr("ostcli.paper.scores.NUM_PARTS", 2)
    in_two = measure_all(sources).estimated(folder, None)

    assert (len(every.without), len(in_two.without)) == (4, 2)
    style, coarser = every.scores["style"], in_two.scores["style"]
    assert coarser.value == pytest.approx(style.value)
    assert coarser.low < coarser.value < coarser.high
    without_the_first = figures_of(gather(sources[1::2]), folder)
    assert in_two.without[0]["style"] == pytest.approx(without_the_first["style"])


def test_real_pictures_are_measured_in_draws(gather, pictures, folder, classifier):
    draws = [gather(pictures(4)[:2]), gather(pictures(4)[2:])]
    both = estimated_of_real(draws, folder, classifier)
    singly = [estimated_of_real([draw], folder, classifier) for draw in draws]

    for figure in ("style", "kid", "domain"):
        values = [one.scores[figure].value for one in singly]
        assert both.scores[figure].value == pytest.approx(sum(values) / 2), figure
        assert both.scores[figure].low < both.scores[figure].value, figure
    assert singly[0].scores["style"].low is None


def test_a_way_is_compared_with_another_on_the_same_sources(
    measure_all, sources, folder, classifier
):
    def way(change):
        return measure_all([change(each) for each in sources]).estimated(folder, classifier)

    as_they_are, turned = way(lambda source: source), way(lambda source: source.rotate(180))
    for figure in ("content", "style", "kid"):
        more = turned.less(as_they_are, figure)
        assert more.value == pytest.approx(
            turned.scores[figure].value - as_they_are.scores[figure].value
        )
        assert more.low < more.value < more.high
        nothing = turned.less(turned, figure)
        assert nothing.low == nothing.value == nothing.high == 0
    # The same sources: what the two have in common is no part of the interval.
    style, own = turned.less(as_they_are, "style"), turned.scores["style"]
    assert style.high - style.low < own.high - own.low
    assert turned.less(as_they_are, "error") is None


def test_one_result_has_estimates_without_intervals(measure_all, sources, folder):
    found = measure_all(sources[:1]).estimated(folder, None).scores

    assert found["style"].value > 0
    assert found["style"].low is found["style"].high is None
    assert "kid" not in found


def test_without_features_there_is_still_what_needs_none(sources):
    measured = Measured()
    measured.add(measure(sources[0], sources[0], truth=sources[0]))
    together = measured.estimated(None, None).means
    assert (together.error, together.within) == (0, 1)
    assert together.detail == pytest.approx(1)
    assert together.artefacts >= 0
    assert together.content is together.style is together.domain is together.kid is None


def test_a_single_picture_has_no_kid(measure_all, sources, folder, classifier):
    together = measure_all(sources[:1]).estimated(folder, classifier).means
    assert together.kid is None
    assert together.style is not None


def test_a_tiny_picture_has_no_artefacts_and_does_not_spoil_those_of_others(sources):
    tiny = sources[0].resize((40, 8))
    measured = Measured()
    measured.add(measure(tiny, tiny))
    measured.add(measure(sources[1], sources[1]))
    estimated = measured.estimated(None, None)
    first, second = estimated.of_each
    assert first.artefacts is None
    assert estimated.means.artefacts == second.artefacts


def test_averages_of_grams_do_not_depend_on_the_order(gather, sources):
    one, other = gather(sources), gather(sources[::-1])
    for a, b in zip(one.grams, other.grams, strict=True):
        assert a == pytest.approx(b, rel=1e-4)
    assert len(one) == 4


def test_a_table_of_estimates_says_how_far_they_reach():
    rows = {"colour_match": {"content": Estimate(0.5, 0.4, 0.6), "style": Estimate(1.25)}}
    headings, cells = table_of_estimates(rows, ["content", "style", "kid"])

    assert headings == ["", "content ↓", "style ↓", "KID ↓"]
    assert cells == [["colour match", "0.500 ± 0.100", "1.250", "–"]]


def test_a_table_leaves_out_what_nobody_measured():
    rows = {
        "identity": {"content": Estimate(0.0), "artefacts": Estimate(1.25)},
        "real": {"domain": Estimate(0.9)},
    }
    means = [Scores(content=0.0, artefacts=1.25), Scores(domain=0.9)]
    headings, cells = table_of_estimates(rows, known_figures(means))
    assert headings == ["", "content ↓", "P(B) ↑", "artefacts ↓"]
    assert cells == [["identity", "0.000", "–", "1.250"], ["real", "–", "0.900", "–"]]
    assert markdown_table(headings, cells).splitlines() == [
        "|  | content ↓ | P(B) ↑ | artefacts ↓ |",
        "| --- | --: | --: | --: |",
        "| identity | 0.000 | – | 1.250 |",
        "| real | – | 0.900 | – |",
    ]


def test_ways_are_compared_row_by_row():
    ours = [PictureScores(content=0.1 * index, error=0.2) for index in range(5)]
    theirs = [replace(one, content=one.content + 0.3) for one in ours]
    ways = {
        "ours": Estimated(scores={}, of_each=ours),
        "colour_match": Estimated(scores={}, of_each=theirs),
        "real": Estimated(scores={}, of_each=[]),
    }

    comparison = compared(ways, "ours")
    assert comparison.figures == ["content ↓", "error ↓"]
    assert "| colour match | **-0.300 ± 0.000** | 0.000 ± 0.000 |" in comparison.markdown()
    assert (
        compared(
            {name: Estimated(scores={}, of_each=[PictureScores()] * 5) for name in ways}, "ours"
        )
        is None
    )
    few = {**ways, "ours": Estimated(scores={}, of_each=ours[:4])}
    assert compared(few, "ours") is None
