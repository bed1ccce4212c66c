"""The scoring of `ost evaluate`: results of one source after another, beside the controls."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from PIL import Image

from ostcli.config import Finish
from ostcli.events import Note, OnEvent
from ostcli.images.controls import Controls
from ostcli.images.find import FoundPicture
from ostcli.images.sheet import contact_sheet, reduce_for_preview
from ostcli.paper.domain import DomainClassifier, train_classifier
from ostcli.paper.features import PerceptualNetwork
from ostcli.paper.scores import (
    Digest,
    Estimated,
    Gathered,
    Measured,
    Measurement,
    estimated_of_real,
    measure,
)
from ostcli.paper.tables import REAL, readable
from ostcli.workflows.ways import Made, Partners

MOST_OF_FOLDER = 240
"""Pictures of a folder that results are held against, at even distances."""
MOST_DRAWS = 10
"""Of pictures of B that no training saw, each of as many as there are sources."""
MOST_SHOWN = 40
"""Sources on the sheet, the first ones: a WebP picture has at most 16,383 rows."""
SHOWN = (
    "identity",
    "colour_match",
    "unadapted",
    "unadapted_finished",
    "network",
    "finished",
    "translation",
)
"""The columns of the sheet, as far as there are such results."""


@dataclass(frozen=True, kw_only=True)
class Perceptual:
    """All that is measured by features."""

    network: PerceptualNetwork
    folder: Gathered = field(default_factory=Gathered)
    """Pictures of B that results are held against."""
    more_of_a: Gathered = field(default_factory=Gathered)
    """Pictures of A besides the sources."""
    held_out: Sequence[Digest] = ()
    """Pictures of B that no training saw."""

    def digest(self, picture: Image.Image) -> Digest:
        """Return what is kept of a picture's features."""
        return Digest.of(self.network(picture))

    def look_at(self, folder: Sequence[Image.Image], should_stop: Callable[[], bool]) -> bool:
        """Take in the folder; return whether that came to its end."""
        for picture in folder:
            if should_stop():
                return False
            self.folder.add(self.digest(picture))
        return True

    def draws(self, num_sources: int, on_event: OnEvent) -> list[Gathered]:
        """Return draws of pictures of B that no training saw, each of as many as there are sources.

        Args:
            num_sources: that were measured; above `MOST_OF_FOLDER` that is a draw.
            on_event: told if there are fewer pictures.
        """
        number, held_out = min(num_sources, MOST_OF_FOLDER), self.held_out
        if len(held_out) < number:
            text = (
                f'"{REAL}" is of {len(held_out)} pictures, fewer than the {number} sources: '
                "its style and KID come out too large"
            )
            on_event(Note(text=text, warning=True))
        num_draws = max(1, min(MOST_DRAWS, len(held_out) // number))
        taken = min(num_draws * number, len(held_out))
        spread_out = [held_out[place * len(held_out) // taken] for place in range(taken)]
        return [Gathered(spread_out[first::num_draws]) for first in range(num_draws)]

    def classifier(self, sources: Gathered, on_event: OnEvent) -> DomainClassifier | None:
        """Return the domain classifier, or None where a domain is a single picture."""
        of_a = [each.summaries for each in (sources, self.more_of_a) if len(each)]
        if min(sum(map(len, of_a)), len(self.folder)) < 2:
            on_event(Note(text="no P(B): it takes two pictures of each look", warning=True))
            return None
        return train_classifier(torch.cat(of_a), self.folder.summaries)


def measure_all(
    results: Made,
    source: Image.Image,
    truth: Image.Image | None,
    network: PerceptualNetwork | None,
) -> dict[str, Measurement]:
    """Measure what several ways make of one source.

    Args:
        results: by the way that they were made, each of the source's size. RGB.
        source: RGB.
        truth: the true partner, if there is one.
        network: for what needs features.
    """
    of_source = network(source) if network else None
    rows = {}
    for name, result in results.items():
        features = (of_source, network(result)) if network and of_source else None
        rows[name] = measure(result, source, truth=truth, features=features)
    return rows


class Scoring:
    """Measures every result of each source; keeps figures, and small pictures for a sheet.

    Args:
        controls: by the folder.
        truths: the true partners.
        perceptual: for what needs features; the folder has been looked at.
    """

    def __init__(
        self, controls: Controls, truths: Partners | None, perceptual: Perceptual | None
    ) -> None:
        self._controls = controls
        self._truths = truths
        self._perceptual = perceptual
        self._measured: dict[str, Measured] = {}
        self._shown: list[Made] = []
        self.names: list[str] = []
        """The paths of the sources as found."""
        self.sources = Gathered()
        self.finishes: list[Finish] = []
        """What AUTO means for each source, where that is known."""

    def measure(
        self, found: FoundPicture, source: Image.Image, made: Made, finish: Finish | None
    ) -> None:
        """Measure the results of a source, and what the controls make of it.

        All of it or, where something fails, nothing.

        Args:
            found: where the source is.
            source: as it is measured. RGB.
            made: results by the way that they were made.
            finish: what AUTO means for it.

        Raises:
            PictureError: its partner cannot be used.
        """
        truth = self._truths.of(found, source) if self._truths else None
        results = {**self._controls.results(source), **made}
        network = self._perceptual.network if self._perceptual else None
        rows = measure_all(results, source, truth, network)
        for name, row in rows.items():
            self._measured.setdefault(name, Measured()).add(row)
        if (of_source := rows["identity"].seen) is not None:
            self.sources.add(of_source)
        self.names.append(str(found.path))
        self.finishes += [finish] if finish else []
        if len(self._shown) < MOST_SHOWN:
            shown = {name: results[name] for name in SHOWN if name in results}
            shown |= {"truth": truth} if truth else {}
            self._shown.append({name: reduce_for_preview(one) for name, one in shown.items()})

    def rows(self, classifier: DomainClassifier | None, on_event: OnEvent) -> dict[str, Estimated]:
        """Return what each way of translating comes to; last, what real pictures of B do."""
        seen = self._perceptual
        folder = seen.folder if seen else None
        rows = {name: each.estimated(folder, classifier) for name, each in self._measured.items()}
        if seen and seen.held_out:
            draws = seen.draws(len(self.names), on_event)
            rows[REAL] = estimated_of_real(draws, seen.folder, classifier)
        return rows

    def sheet(self) -> Image.Image:
        """Return the contact sheet of the first sources."""
        columns = list(self._shown[0])
        return contact_sheet(
            [[row[name] for name in columns] for row in self._shown],
            columns=["source" if n == "identity" else readable(n) for n in columns],
            row_labels=[Path(name).stem for name in self.names],
        )
