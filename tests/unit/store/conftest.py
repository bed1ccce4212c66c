"""What the tests of the store share."""

import os

import pytest


@pytest.fixture
def flushed(monkeypatch):
    """Collect the inode of every file and folder that is flushed to the disk."""
    flush, inodes = os.fsync, set()

    def noting(descriptor):
        inodes.add(os.fstat(descriptor).st_ino)
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", noting)
    return inodes
