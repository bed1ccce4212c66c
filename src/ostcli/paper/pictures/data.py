"""Data sets of the CycleGAN family: two domains in four folders, or pairs side by side."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from ostcli.config import ViewConfig
from ostcli.errors import InputError
from ostcli.events import OnEvent
from ostcli.images.folder import open_folder, reduce_to_working_size
from ostcli.method.augment import Pictures

SEEN = ViewConfig()
"""Pictures are taken at their own size, at most at a megapixel."""
TEST_PARTS = ("test", "val")
"""What the part for tests of a set of pairs may be called, the first that is there."""


@dataclass(frozen=True, kw_only=True)
class PictureDomains:
    """A set of two domains, each in a part for training and one that no training sees."""

    train_a: Pictures
    train_b: Pictures
    test_a: Pictures
    test_b: Pictures
    are_pairs: bool
    """Whether the pictures of the test parts belong to one another, in their order."""

    @property
    def swapped(self) -> "PictureDomains":
        """The same with A and B in one another's place."""
        return replace(
            self,
            train_a=self.train_b,
            train_b=self.train_a,
            test_a=self.test_b,
            test_b=self.test_a,
        )

    def seen_by(self, view: ViewConfig) -> "PictureDomains":
        """Return the same at the size at which networks see it: no figure is then one of scale."""
        parts = (self.train_a, self.train_b, self.test_a, self.test_b)
        train_a, train_b, test_a, test_b = (Reduced(part, view) for part in parts)
        return replace(self, train_a=train_a, train_b=train_b, test_a=test_a, test_b=test_b)


def load_domains(folder: Path, on_event: OnEvent, *, hint: str) -> PictureDomains:
    """Open a set: `trainA`, `trainB`, `testA`, `testB`, or `train` and `test` (`val`) with pairs.

    Pictures that cannot be read are named and left out. In four folders, too, pictures are pairs if
    their names say so, `1_A.jpg` and `1_B.jpg` or the same name, and their sizes do not gainsay it.

    Args:
        folder: of the set.
        on_event: told of what is found.
        hint: how to get the set.

    Raises:
        InputError: it is not there, or is none of these.
    """
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}", hint=hint)
    four = [folder / f"{part}{domain}" for part in ("train", "test") for domain in "AB"]
    if all(each.is_dir() for each in four):
        train_a, train_b, test_a, test_b = (open_folder(each, SEEN, on_event) for each in four)
        named_alike = _without(test_a.stems, "_A") == _without(test_b.stems, "_B")
        return PictureDomains(
            train_a=train_a,
            train_b=train_b,
            test_a=test_a,
            test_b=test_b,
            are_pairs=named_alike and _are_of_one_size(test_a, test_b),
        )
    test = next((folder / part for part in TEST_PARTS if (folder / part).is_dir()), None)
    if test is None or not (folder / "train").is_dir():
        raise InputError(
            f"{folder} holds neither trainA, trainB, testA and testB, nor train and test with "
            "pairs side by side",
            hint=hint,
        )
    train, held_back = (open_folder(each, SEEN, on_event) for each in (folder / "train", test))
    return PictureDomains(
        train_a=Halves(train, 0),
        train_b=Halves(train, 1),
        test_a=Halves(held_back, 0),
        test_b=Halves(held_back, 1),
        are_pairs=True,
    )


class Halves:
    """The left or the right halves of pictures.

    Args:
        pictures: pairs side by side.
        half: 0 for the left one, 1 for the right one.
    """

    def __init__(self, pictures: Pictures, half: int) -> None:
        self._pictures, self._half = pictures, half

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._pictures)

    def __getitem__(self, index: int) -> Image.Image:
        """Return half of a picture. RGB."""
        picture = self._pictures[index]
        width = picture.width // 2
        left = self._half * (picture.width - width)
        return picture.crop((left, 0, left + width, picture.height))


class Reduced:
    """Pictures at the size at which networks see them.

    Args:
        pictures: RGB.
        view: says which.
    """

    def __init__(self, pictures: Pictures, view: ViewConfig) -> None:
        self._pictures, self._view = pictures, view

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._pictures)

    def __getitem__(self, index: int) -> Image.Image:
        """Return one. RGB."""
        return reduce_to_working_size(self._pictures[index], self._view)


def _are_of_one_size(ones: Pictures, others: Pictures) -> bool:
    return all(ones[index].size == others[index].size for index in range(len(ones)))


def _without(stems: Sequence[str], ending: str) -> list[str]:
    return [stem.removesuffix(ending) for stem in stems]
