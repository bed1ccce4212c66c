import pytest

from ostcli.paper.domain import train_classifier
from ostcli.paper.intervals import Estimate
from ostcli.paper.scores import (
    Digest,
    Gathered,
    Measured,
    Scores,
    estimates,
    known_figures,
    measure,
    real_scores,
)
from ostcli.paper.tables import markdown_table, table_of_estimates, table_of_scores


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
    together, each = measure_all(sources).scores(folder, classifier)
    assert together.content == 0
    assert [row.content for row in each] == [0] * 4
    assert together.error is together.detail is together.within is None


def test_the_average_is_that_of_the_pictures(measure_all, sources, folder, classifier):
    results = [picture.point(lambda level: level // 2) for picture in sources]
    truths = [picture.point(lambda level: level // 4) for picture in sources]
    together, each = measure_all(results, truths).scores(folder, classifier)
    for name in ("content", "domain", "artefacts", "error", "detail", "within"):
        average = sum(getattr(row, name) for row in each) / 4
        assert getattr(together, name) == pytest.approx(average), name
    assert all(row.error > 0 for row in each)


def test_the_folder_itself_is_nearest_in_style(measure_all, folder, sources, classifier):
    of_folder = real_scores(folder, folder, classifier)
    of_sources, _ = measure_all(sources).scores(folder, classifier)
    assert of_folder.style == pytest.approx(0, abs=1e-5)
    assert of_sources.style > 0.1
    assert of_sources.domain < 0.5 < of_folder.domain
    assert of_sources.kid > of_folder.kid


def test_estimates_are_the_scores_with_their_intervals(network, sources, folder, classifier):
    results = [
        measure(source.rotate(180), source, features=(network(source), network(source.rotate(180))))
        for source in sources
    ]
    measured = Measured()
    for result in results:
        measured.add(result)
    together, each = measured.scores(folder, classifier)
    estimated = estimates(results, folder, classifier)
    found = estimated.scores

    assert estimated.of_each == each
    for figure, estimate in found.items():
        assert estimate.value == getattr(together, figure)
        assert estimate.low < estimate.value < estimate.high, figure
    assert set(found) == {"content", "domain", "artefacts", "style", "kid"}


def test_a_way_is_compared_with_another_on_the_same_sources(network, sources, folder, classifier):
    def way(change):
        results = [
            measure(change(each), each, features=(network(each), network(change(each))))
            for each in sources
        ]
        return estimates(results, folder, classifier)

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


def test_one_result_has_estimates_without_intervals(network, sources, folder):
    both = network(sources[0]), network(sources[0])
    found = estimates([measure(sources[0], sources[0], features=both)], folder, None).scores

    assert found["style"].value > 0
    assert found["style"].low is found["style"].high is None
    assert "kid" not in found


def test_without_features_there_is_still_what_needs_none(sources):
    measured = Measured()
    measured.add(measure(sources[0], sources[0], truth=sources[0]))
    together, _ = measured.scores(None, None)
    assert (together.error, together.within) == (0, 1)
    assert together.detail == pytest.approx(1)
    assert together.artefacts >= 0
    assert together.content is together.style is together.domain is together.kid is None


def test_a_single_picture_has_no_kid(measure_all, sources, folder, classifier):
    together, _ = measure_all(sources[:1]).scores(folder, classifier)
    assert together.kid is None
    assert together.style is not None


def test_a_tiny_picture_has_no_artefacts_and_does_not_spoil_those_of_others(sources):
    tiny = sources[0].resize((40, 8))
    measured = Measured()
    measured.add(measure(tiny, tiny))
    measured.add(measure(sources[1], sources[1]))
    together, [first, second] = measured.scores(None, None)
    assert first.artefacts is None
    assert together.artefacts == second.artefacts


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
    scores = {"identity": Scores(content=0.0, artefacts=1.25), "real": Scores(domain=0.9)}
    headings, rows = table_of_scores(scores, known_figures(list(scores.values())))
    assert headings == ["", "content ↓", "P(B) ↑", "artefacts ↓"]
    assert rows == [["identity", "0.000", "–", "1.250"], ["real", "–", "0.900", "–"]]
    assert markdown_table(headings, rows).splitlines() == [
        "|  | content ↓ | P(B) ↑ | artefacts ↓ |",
        "| --- | --: | --: | --: |",
        "| identity | 0.000 | – | 1.250 |",
        "| real | – | 0.900 | – |",
    ]
