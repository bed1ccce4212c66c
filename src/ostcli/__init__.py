"""One-shot unsupervised image translation: one picture into the look of a folder.

    import ostcli
    ostcli.pretrain("winter_photos")
    ostcli.adapt("summer.jpg")
    ostcli.translate("holiday", to=ostcli.Direction.B)

The functions do what the commands of the same names do, without a terminal: they return frozen
results, raise the errors of `ostcli.errors`, and report through a function of one event.
Importing the package costs no torch; calling a function does.
"""

import importlib
import os
from typing import TYPE_CHECKING, Any

# Before torch is imported, wherever that happens first: see ostcli.training.threads.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # GNU's OpenMP, on Linux: some ten microseconds
os.environ.setdefault("KMP_BLOCKTIME", "1")  # LLVM's and Intel's, elsewhere: milliseconds

if TYPE_CHECKING:
    from ostcli.config import AdaptConfig as AdaptConfig
    from ostcli.config import Direction as Direction
    from ostcli.config import Finish as Finish
    from ostcli.config import Look as Look
    from ostcli.config import Medium as Medium
    from ostcli.config import Preset as Preset
    from ostcli.config import PretrainConfig as PretrainConfig
    from ostcli.presets import adapt_preset as adapt_preset
    from ostcli.presets import pretrain_preset as pretrain_preset
    from ostcli.workflows.adapt import adapt as adapt
    from ostcli.workflows.adapt import adapt_all as adapt_all
    from ostcli.workflows.evaluate import Yardsticks as Yardsticks
    from ostcli.workflows.evaluate import evaluate as evaluate
    from ostcli.workflows.load import load_model as load_model
    from ostcli.workflows.pretrain import FolderFacts as FolderFacts
    from ostcli.workflows.pretrain import pretrain as pretrain
    from ostcli.workflows.translate import translate as translate

__version__ = "0.1.0"

_HOME = {
    "AdaptConfig": "ostcli.config",
    "Direction": "ostcli.config",
    "Finish": "ostcli.config",
    "Look": "ostcli.config",
    "Medium": "ostcli.config",
    "Preset": "ostcli.config",
    "PretrainConfig": "ostcli.config",
    "adapt_preset": "ostcli.presets",
    "pretrain_preset": "ostcli.presets",
    "FolderFacts": "ostcli.workflows.pretrain",
    "Yardsticks": "ostcli.workflows.evaluate",
    "adapt": "ostcli.workflows.adapt",
    "adapt_all": "ostcli.workflows.adapt",
    "evaluate": "ostcli.workflows.evaluate",
    "load_model": "ostcli.workflows.load",
    "pretrain": "ostcli.workflows.pretrain",
    "translate": "ostcli.workflows.translate",
}
__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    if name not in _HOME:
        raise AttributeError(f"module 'ostcli' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
