"""The talk's figure on minimality: which maps between two segments small networks express."""

from dataclasses import asdict
from functools import partial

import torch

from ostcli.events import Note, OnStep
from ostcli.paper.minimality import (
    EXPRESSED,
    LEARNING_RATE,
    MATCHED,
    NON_SEMANTIC,
    NUM_POINTS,
    SEGMENT_A,
    SEGMENT_B,
    SEMANTIC,
    SLOPE,
    STEPS,
    WIDE,
    points_on,
    run_minimality,
)
from ostcli.paper.plots import Shaded, plot_panels
from ostcli.training.device import CPU
from ostcli.workflows.reproduce.book import Book, Draft, Row, Table, Values
from ostcli.workflows.reproduce.request import Request
from ostcli.workflows.reproduce.watch import Watch

NUM_SEEDS = 100
NAME = "minimality"
HEADINGS = ("network", "asked for", "seeds that do it", "least error")
MAP, DISTRIBUTION = "the map", "the distribution"
"""What networks are told: point by point, or of all points together."""
CAME_TO = {
    "num_forwards": "forwards",
    "num_backwards": "backwards",
    "num_non_semantic": "another map",
    "num_unmatched": "no match",
}
"""Of those that are told the distribution: counts, with the map that they came to."""
INTRODUCTION = (
    "# Minimality\n\n"
    "Two line segments in the plane. Countless maps take the uniform distribution on the first to"
    " that on the second; two of them keep what is next to what. By the paper, a network h(x) = "
    f"σ(Wx + b) with two leaky-ReLU units can be those two and no other. {NUM_SEEDS} networks of "
    "that size, and as many wide ones, are asked for each map point by point, and then only to "
    "match the distributions. Errors are mean distances in units of the second segment's length; "
    f"below {EXPRESSED} a map counts as expressed. The distributions match where the sorted places "
    f"along the segment, and how far points lie beside it, are together less than {MATCHED} off in "
    "the mean."
)


def minimality(watch: Watch, request: Request, book: Book) -> Table:
    """Train the networks of all seeds, and write the table and its figure."""
    steps = max(1, round(STEPS * min(1.0, request.budget)))
    settings = {
        "seeds": NUM_SEEDS,
        "steps": steps,
        "seed": request.seed,
        "segments": [SEGMENT_A, SEGMENT_B],
        "maps": [*SEMANTIC, *NON_SEMANTIC],
        "network": {"slope": SLOPE, "wide": WIDE},
        "points": NUM_POINTS,
        "learning_rate": LEARNING_RATE,
        "expressed": EXPRESSED,
        "matched": ["Wasserstein", MATCHED],
    }
    row = book.row(NAME, settings)
    figures = row.figures
    if figures is None:
        watch.check()
        watch.on_event(Note(text=f"training {NUM_SEEDS} networks for each map"))
        figures = row.keep(_run(steps, request.seed, watch.of(NAME, device=CPU)))
    rows = _rows(row)
    return book.write(
        Draft(
            name=NAME,
            introduction=INTRODUCTION,
            headings=HEADINGS,
            cells=[_cells(row) for row in rows],
            values={"settings": settings},
            rows=rows,
            made=[NAME],
            plot=partial(_plot, figures),
        )
    )


def _run(steps: int, seed: int, on_step: OnStep) -> Values:
    found = run_minimality(num_seeds=NUM_SEEDS, steps=steps, seed=seed, on_step=on_step)
    return {
        "fits": {
            network: {name: asdict(fit) for name, fit in fits.items()}
            for network, fits in found.fits.items()
        },
        "matchings": {network: asdict(each) for network, each in found.matchings.items()},
    }


def _rows(row: Row) -> list[Values]:
    """Return what came of each network and each thing that it was told, for programs."""
    assert row.figures is not None
    rows: list[Values] = []
    for network, fits in row.figures["fits"].items():
        rows += [
            {"network": network, "told": MAP, "map": name, "is_semantic": name in SEMANTIC, **fit}
            for name, fit in fits.items()
        ]
        matching = row.figures["matchings"][network]
        rows += [
            {
                "network": network,
                "told": DISTRIBUTION,
                "map": name,
                "is_semantic": name in SEMANTIC,
                "num_expressed": matching[key],
            }
            for key, name in CAME_TO.items()
        ]
    return [{**each, "made_with": row.made_with} for each in rows]


def _cells(row: Values) -> list[str]:
    if row["told"] == MAP:
        kind = "semantic" if row["is_semantic"] else "not semantic"
        asked, error = f"the map “{row['map']}” ({kind})", f"{row['best_error']:.3f}"
    else:
        asked, error = f"the distribution; came to: {row['map']}", "–"
    return [row["network"], asked, f"{row['num_expressed']}", error]


def _plot(figures: Values) -> bytes:
    """Draw both segments for each map, points that it joins in one shade."""
    t = (torch.arange(NUM_POINTS) + 0.5) / NUM_POINTS
    panels: dict[str, Shaded] = {}
    for name, of in {**SEMANTIC, **NON_SEMANTIC}.items():
        count = figures["fits"]["two units"][name]["num_expressed"]
        both = torch.cat([points_on(SEGMENT_A, t), points_on(SEGMENT_B, of(t))])
        shaded = torch.cat([both, t.repeat(2)[:, None]], dim=1)
        panels[f"{name}: {count} of {NUM_SEEDS}"] = [
            (x, y, shade) for x, y, shade in shaded.tolist()
        ]
    return plot_panels(panels, title="Maps between two segments: how often two units express each")
