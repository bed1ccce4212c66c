"""Adapt a model to each of some pictures; show and, where the truth is known, measure the result.

    python docs/evidence/adapt_each.py --model NAME --sources FOLDER [--truth FOLDER] [--out DIR]

Writes one sheet (source; T_BB, what the model makes of it unadapted; T_AB, adapted to it; the last
two with the photo finish as well) and prints one JSON object. With the truth (pictures of the same
names), it holds mean absolute errors, 0 to 1, beside the controls. It uses only the functions that
the commands use.
"""

import argparse
import json
import time
from pathlib import Path
from statistics import mean

from PIL import Image

from ostcli.config import DeviceChoice, Finish, adapt_preset
from ostcli.images.controls import (
    colour_match,
    mean_absolute_error,
    mean_of_folder,
    nearest_in_folder,
)
from ostcli.images.find import find_pictures
from ostcli.images.read import read_picture
from ostcli.images.sheet import contact_sheet
from ostcli.store.library import Library, store_root
from ostcli.training.device import choose_device, prepare_arithmetic
from ostcli.workflows.adapt import adapt_in_memory
from ostcli.workflows.stored import open_model
from ostcli.workflows.translator import Translator

COLUMNS = ("source", "T_BB", "T_BB finished", "T_AB", "T_AB finished")


def main() -> None:
    """Run the protocol."""
    options = arguments()
    prepare_arithmetic()
    library = Library(store_root())
    model = open_model(options.model, library)
    config = adapt_preset(model.config, num_pictures=model.num_pictures)
    folder = pictures_of(Path(library.manifest(model.name).facts["folder"]))
    found = find_pictures([options.sources])[: options.count]
    rows: list[list[Image.Image]] = []
    errors: list[dict[str, float]] = []
    seconds: list[float] = []
    for picture in found:
        source = read_picture(picture.path).image
        began = time.monotonic()
        networks = adapt_in_memory(source, model, config, choose_device(DeviceChoice.AUTO))
        seconds.append(time.monotonic() - began)
        row = [source]
        for owner, path in (
            (model.networks, model.networks.reconstruct_bb),
            (networks, networks.translate_ab),
        ):
            for finish in (Finish.NETWORK, Finish.PHOTO):
                translator = Translator(owner, path, model.config.view, finish=finish)
                row.append(translator.translate(source))
        rows.append(row)
        if options.truth:
            truth = read_picture(next(options.truth.glob(f"{picture.path.stem}.*"))).image
            row.append(truth)
            results = dict(zip(COLUMNS, row, strict=False))
            results["colour_match"] = colour_match(source, folder)
            results["mean_of_folder"] = mean_of_folder(folder)
            results["nearest_in_folder"] = nearest_in_folder(source, folder)
            errors.append({k: mean_absolute_error(v, truth) for k, v in results.items()})
    options.out.mkdir(parents=True, exist_ok=True)
    sheet = options.out / f"{model.name}-adapted-to-each.webp"
    columns = [*COLUMNS, "truth"] if options.truth else list(COLUMNS)
    labels = [picture.path.stem for picture in found]
    contact_sheet(rows, columns=columns, row_labels=labels).save(sheet, quality=88)
    averages = (
        {name: round(mean(e[name] for e in errors), 4) for name in errors[0]} if errors else {}
    )
    result = {
        "model": model.name,
        "num_pictures": len(found),
        "steps": config.steps,
        "seconds_per_adaptation": round(mean(seconds), 1),
        "mean_absolute_error": averages,
        "sheet": str(sheet),
    }
    print(json.dumps(result, indent=2))  # noqa: T201 - a command's output


def pictures_of(folder: Path) -> list[Image.Image]:
    """Return every picture of a folder. RGB."""
    return [read_picture(found.path).image for found in find_pictures([folder])]


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", required=True)
    parser.add_argument("--sources", type=Path, required=True)
    parser.add_argument("--truth", type=Path)
    parser.add_argument("--out", type=Path, default=Path("evidence"))
    parser.add_argument("--count", type=int, default=10)
    return parser.parse_args()


if __name__ == "__main__":
    main()
