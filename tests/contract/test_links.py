"""The documentation's internal links lead somewhere, and its index is complete."""

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])

FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]+`")
LINK = re.compile(r"\]\(([^()\s]+)\)")
ABSOLUTE = re.compile(r"[a-z]+:")


def links_of(page):
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    return [link for link in LINK.findall(CODE.sub("", text)) if not ABSOLUTE.match(link)]


@cache
def anchors_of(page):
    """Name the headings as the usual renderers of Markdown do."""
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ +(.+?) *$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_internal_links_lead_somewhere(page):
    broken = []
    for link in links_of(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors_of(target)):
            broken.append(link)
    assert not broken


def test_every_decision_is_in_the_index():
    decisions = ROOT / "docs" / "decisions"
    listed = {link for link in links_of(decisions / "README.md") if "/" not in link}
    assert listed == {page.name for page in decisions.glob("[0-9]*.md")}


def test_every_page_can_be_reached_from_the_readme():
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached and page.suffix == ".md" and page.exists():
            reached.add(page)
            waiting += [
                (page.parent / link.partition("#")[0]).resolve()
                for link in links_of(page)
                if not link.startswith("#")
            ]
    assert set(PAGES) <= reached
