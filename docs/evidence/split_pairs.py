"""Cut pictures that hold a pair side by side into two folders, `left` and `right`.

python docs/evidence/split_pairs.py PAIRS_FOLDER OUT_FOLDER
"""

import sys
from pathlib import Path

from PIL import Image


def main(pairs: Path, out: Path) -> None:
    """Write the halves as PNG under the pictures' own names."""
    for path in sorted(pairs.iterdir()):
        with Image.open(path) as pair:
            half = pair.width // 2
            for name, left in (("left", 0), ("right", half)):
                (out / name).mkdir(parents=True, exist_ok=True)
                box = (left, 0, left + half, pair.height)
                pair.crop(box).convert("RGB").save(out / name / f"{path.stem}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
