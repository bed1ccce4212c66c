"""Where the store is."""

import os
from pathlib import Path

import platformdirs


def store_root() -> Path:
    """Find where models are kept.

    Returns:
        $OST_HOME when it is set, else the folder for caches of the user's system.
    """
    chosen = os.environ.get("OST_HOME")
    if chosen:
        return Path(chosen).expanduser().absolute()
    return platformdirs.user_cache_path("ostcli")
