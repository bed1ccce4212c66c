"""A file is the old one or the new one, whole, whatever happens while it is written."""

import errno
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ostcli.errors import ResourceError, StoreError
from ostcli.store.durable import (
    append_line,
    error_in_words,
    make_folder,
    sha256,
    sweep_temporaries,
    write_file,
)
from ostcli.store.root import store_root

posix_only = pytest.mark.skipif(os.name == "nt", reason="POSIX file modes and fork")


def failing(code):
    def fail(*_args, **_kwargs):
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.parametrize("data", [b"bytes", bytearray(b"bytes"), memoryview(b"bytes")])
def test_what_is_written_is_read_back(tmp_path, data):
    write_file(tmp_path / "file", data)
    assert (tmp_path / "file").read_bytes() == b"bytes"


def test_an_older_file_is_replaced(tmp_path):
    write_file(tmp_path / "file", b"a longer old content")
    write_file(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


@posix_only
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_the_umask_is_honoured(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        write_file(tmp_path / "file", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(errno.EIO, "broken"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_file_and_no_temporary(tmp_path, monkeypatch, call, error):
    write_file(tmp_path / "file", b"old")

    def fail(*_args):
        raise error

    monkeypatch.setattr(os, call, fail)
    with pytest.raises((StoreError, KeyboardInterrupt)):
        write_file(tmp_path / "file", b"new")
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]
    assert (tmp_path / "file").read_bytes() == b"old"


@pytest.mark.parametrize(
    ("code", "error", "words"),
    [
        (errno.ENOSPC, ResourceError, "no space left"),
        (errno.EDQUOT, ResourceError, "no space left"),
        (errno.EACCES, StoreError, "permission denied"),
        (errno.EIO, StoreError, os.strerror(errno.EIO)),
    ],
)
def test_errors_name_the_file_in_words(tmp_path, monkeypatch, code, error, words):
    monkeypatch.setattr(os, "fsync", failing(code))
    with pytest.raises(error, match=words) as caught:
        write_file(tmp_path / "file", b"new")
    assert str(tmp_path / "file") in caught.value.message


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES])
def test_only_files_of_the_store_can_be_moved_by_its_variable(tmp_path, code):
    hints = [
        error_in_words(OSError(code, "refused"), folder / "file").hint
        for folder in (store_root(), tmp_path, Path())
    ]
    assert ["OST_HOME" in hint for hint in hints] == [True, False, False]
    assert all(hints)


def test_a_missing_folder_is_an_error_in_words(tmp_path):
    with pytest.raises(StoreError, match="nowhere"):
        write_file(tmp_path / "nowhere" / "file", b"new")


@posix_only
def test_a_file_system_that_cannot_flush_folders_will_do(tmp_path, monkeypatch):
    flush = os.fsync

    def only_files(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not for folders")
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", only_files)
    write_file(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"


@posix_only
def test_new_folders_are_flushed_with_their_names(tmp_path, flushed):
    make_folder(tmp_path / "a" / "b")
    assert flushed == {folder.stat().st_ino for folder in (tmp_path, tmp_path / "a")}
    flushed.clear()
    make_folder(tmp_path / "a" / "b")
    assert flushed == set()


@posix_only
def test_a_killed_writer_leaves_the_old_file_and_a_temporary_that_is_swept(tmp_path):
    write_file(tmp_path / "file", b"old")
    script = (
        "import os, pathlib, sys\n"
        "from ostcli.store.durable import write_file\n"
        "os.replace = lambda *names: os._exit(9)\n"
        "write_file(pathlib.Path(sys.argv[1]), b'new')\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", script, str(tmp_path / "file")]
    assert subprocess.run(command, env=environment, check=False).returncode == 9
    (left,) = tmp_path.glob(".ost.*.tmp")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert sweep_temporaries(tmp_path) == []  # It might belong to a live writer.
    long_ago = time.time() - 2 * 3600
    os.utime(left, (long_ago, long_ago))
    assert sweep_temporaries(tmp_path) == [left]
    left.touch()
    assert sweep_temporaries(tmp_path, locked=True) == [left]
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_sweeping_leaves_files_of_other_programs_alone(tmp_path):
    for name in ("notes.tmp", ".hidden.tmp", ".file.0123456789abcdef.tmp.txt"):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (0, 0))
    assert sweep_temporaries(tmp_path, locked=True) == []
    assert sweep_temporaries(tmp_path / "missing") == []


def test_lines_are_appended_each_with_one_newline(tmp_path):
    append_line(tmp_path / "log", "one")
    append_line(tmp_path / "log", "zwei – 二\n")
    assert (tmp_path / "log").read_bytes() == "one\nzwei – 二\n".encode()


def test_appending_to_a_folder_is_an_error_in_words(tmp_path):
    with pytest.raises(StoreError, match=tmp_path.name):
        append_line(tmp_path, "one")


def test_sha256_is_the_known_one():
    assert sha256(b"abc")[:16] == "ba7816bf8f01cfea"


@posix_only
def test_a_name_may_be_as_long_as_the_system_allows(tmp_path):
    path = tmp_path / f"{'雪' * 83}.png"
    write_file(path, b"1")
    assert path.read_bytes() == b"1"


def test_paths_with_any_characters_are_fine(tmp_path):
    path = Path(tmp_path / "Ünï [côdé] 二.json")
    write_file(path, b"1")
    assert path.read_bytes() == b"1"
