import pytest

from ostcli.paper.scores import PerceptualRuler, Scores, score_pictures, score_real
from ostcli.paper.tables import markdown_table, table_of_scores


@pytest.fixture
def sources(pictures):
    return pictures(4)


@pytest.fixture
def folder(pictures):
    return [picture.point(lambda level: level // 3 + 150) for picture in pictures(9)[4:]]


@pytest.fixture
def ruler(network, folder, sources):
    return PerceptualRuler(network, folder, sources)


def test_doing_nothing_changes_no_content(ruler, sources):
    together, each = score_pictures(sources, sources, ruler=ruler)
    assert together.content == 0
    assert [row.content for row in each] == [0] * 4
    assert together.error is together.detail is together.within is None


def test_the_average_is_that_of_the_pictures(ruler, sources, folder):
    results = [picture.point(lambda level: level // 2) for picture in sources]
    truths = [picture.point(lambda level: level // 4) for picture in sources]
    together, each = score_pictures(results, sources, truths=truths, ruler=ruler)
    for name, average in vars(together).items():
        if name not in ("style", "kid"):
            assert average == pytest.approx(sum(getattr(row, name) for row in each) / 4), name
    assert all(row.error > 0 for row in each)


def test_the_folder_itself_is_nearest_in_style(ruler, folder, sources):
    of_folder = score_real(folder, ruler)
    of_sources, _ = score_pictures(sources, sources, ruler=ruler)
    assert of_folder.style == pytest.approx(0, abs=1e-5)
    assert of_sources.style > 0.1
    assert of_sources.domain < 0.5 < of_folder.domain
    assert of_sources.kid > of_folder.kid


def test_without_weights_there_is_still_what_needs_none(sources):
    together, _ = score_pictures(sources, sources, truths=sources)
    assert (together.error, together.within) == (0, 1)
    assert together.detail == pytest.approx(1)
    assert together.artefacts >= 0
    assert together.content is together.style is together.domain is together.kid is None


def test_a_single_picture_has_no_kid(ruler, sources):
    together, _ = score_pictures(sources[:1], sources[:1], ruler=ruler)
    assert together.kid is None
    assert together.style is not None


def test_a_table_leaves_out_what_nobody_measured():
    headings, rows = table_of_scores(
        {"identity": Scores(content=0.0, artefacts=1.25), "real": Scores(content=None, domain=0.9)}
    )
    assert headings == ["", "content ↓", "P(B) ↑", "artefacts ↓"]
    assert rows == [["identity", "0.000", "–", "1.250"], ["real", "–", "0.900", "–"]]
    assert markdown_table(headings, rows).splitlines() == [
        "|  | content ↓ | P(B) ↑ | artefacts ↓ |",
        "| --- | --: | --: | --: |",
        "| identity | 0.000 | – | 1.250 |",
        "| real | – | 0.900 | – |",
    ]
