"""Saves are whole, found again, and never mixed."""

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from ostcli.errors import (
    BusyError,
    DamagedError,
    NotFoundError,
    OstError,
    ResourceError,
    StoreError,
    UsageError,
)
from ostcli.store.library import Library, store_root
from ostcli.store.manifest import Parent
from ostcli.store.reading import LOG, PREVIEW

LONG_AGO = (time.time() - 7200,) * 2


@pytest.fixture
def library(tmp_path):
    return Library(tmp_path / "store")


def save(library, name="winter", *, step=100, kind="model", state=True, keepsake=True, **more):
    """Save tensors that all say the step, so that a mixture of saves would show."""
    files = {"weights": {"a": torch.full((2, 3), float(step)), "b": torch.tensor(step)}}
    if state:
        files["state"] = {"moment": torch.full((4,), float(step))}
    if keepsake:
        files["keepsake"] = {"crop": torch.arange(9, dtype=torch.uint8)}
    return library.commit(
        name, kind=kind, config={"width": 32}, facts={"step": step}, step=step, files=files, **more
    )


def step_of(stored):
    """Tell the step that all parts of a save agree on."""
    assert stored.tensors("weights")["b"].item() == stored.generation.step
    assert stored.tensors("state")["moment"].eq(stored.generation.step).all()
    return stored.generation.step


def file_names(library, name="winter"):
    return sorted(path.name for path in library.folder(name).iterdir())


def path_of(library, role, *, generation="current", name="winter"):
    record = getattr(library.manifest(name), generation).files[role]
    return library.folder(name) / record.name


def flip_bit(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def in_a_process(*lines, root):
    """Run lines of Python in another process, which imports the same ost."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OST_HOME": str(root)}
    return subprocess.Popen(
        [sys.executable, "-c", "\n".join(lines)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def holding(name, *, root):
    """Hold a model's lock in another process until it is sent a line."""
    process = in_a_process(
        "from ostcli.store.library import Library, store_root",
        f"with Library(store_root()).lock({name!r}):",
        "    print('held', flush=True)",
        "    input()",
        root=root,
    )
    assert process.stdout.readline() == "held\n"
    return process


# Where and what


def test_the_store_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("OST_HOME", str(tmp_path))
    assert store_root() == tmp_path
    monkeypatch.setenv("OST_HOME", "")
    assert store_root().name.lower() in ("ostcli", "cache")
    assert store_root().is_absolute()


def test_an_empty_store_is_no_error_and_reading_makes_no_folder(library):
    assert (library.names(), library.unreadable(), library.prune()) == ([], {}, [])
    assert library.last("model") is None
    assert not library.root.exists()


def test_listing_names_needs_no_torch(library):
    save(library)
    process = in_a_process(
        "import sys",
        "from ostcli.store.library import Library, store_root",
        "print(Library(store_root()).names())",
        "print([name for name in ('torch', 'safetensors', 'numpy') if name in sys.modules])",
        root=library.root,
    )
    output, _ = process.communicate()
    assert output.split("\n")[:2] == ["['winter']", "[]"]


def test_names_are_sorted_and_chosen_by_kind(library):
    save(library, "winter")
    save(library, "summer", kind="adaptation")
    save(library, "autumn")
    assert library.names() == ["autumn", "summer", "winter"]
    assert library.names("model") == ["autumn", "winter"]
    assert library.names("adaptation") == ["summer"]


def test_unreadable_ones_are_listed_apart_each_with_its_own_words(library):
    save(library, "good")
    save(library, "bad")
    (library.folder("bad") / "manifest.json").write_text("{")
    save(library, "half")
    (library.folder("half") / "manifest.json").unlink()
    library.append_extra("begun", "log.jsonl", "{}")
    (library.root / "models" / "not a name").mkdir()
    assert library.names() == ["good"]
    save(library, "newer")
    (library.folder("newer") / "manifest.json").write_text('{"schema": 2}')
    words = {name: (error.message, error.hint) for name, error in library.unreadable().items()}
    assert list(words) == ["bad", "half", "newer"]
    assert "not JSON" in words["bad"][0]
    assert "has no manifest.json" in words["half"][0]
    assert "newer ost" in words["newer"][0]
    assert [name for name, (_, hint) in words.items() if "rm" in hint] == ["bad", "half"]
    assert {name: library.verify(name) for name in words} == {
        name: [message] for name, (message, _) in words.items()
    }
    with pytest.raises(DamagedError, match=r"manifest\.json") as caught:
        library.manifest("bad")
    assert "ost models rm bad" in caught.value.hint


def test_a_name_that_is_not_there_brings_close_ones_to_mind(library):
    with pytest.raises(NotFoundError, match="wintr") as caught:
        library.open("wintr")
    assert "ost models" in caught.value.hint
    save(library)
    with pytest.raises(NotFoundError) as caught:
        library.manifest("wintr")
    assert caught.value.hint == "did you mean winter?"


@pytest.mark.parametrize("name", ["..", "a/b", "", ".locks"])
def test_no_name_leads_out_of_the_store(library, name):
    for call in (library.folder, library.manifest, library.remove, library.size):
        with pytest.raises(UsageError):
            call(name)


# Saving and opening


def test_a_save_is_read_back(library):
    manifest = save(library, parent=Parent(name="root", sha256="0" * 64))
    stored = library.open("winter")
    assert stored.manifest == manifest == library.manifest("winter")
    assert stored.warning is None
    assert step_of(stored) == 100
    assert torch.equal(stored.tensors("keepsake")["crop"], torch.arange(9, dtype=torch.uint8))
    assert manifest.versions.keys() == {"ost", "torch", "python"}
    assert library.verify("winter") == []
    assert library.size("winter") == sum(
        path.stat().st_size for path in library.folder("winter").iterdir()
    )


def test_two_generations_are_kept_and_the_keepsake_is_carried_over(library):
    first = save(library, step=1)
    for step in (2, 3):
        save(library, step=step, keepsake=False)
    manifest = library.manifest("winter")
    assert (manifest.current.number, manifest.current.step) == (3, 3)
    assert manifest.previous is not None
    assert manifest.previous.step == 2
    assert manifest.created == first.created
    assert file_names(library) == [
        "000001.keepsake.safetensors",
        "000002.safetensors",
        "000002.state.safetensors",
        "000003.safetensors",
        "000003.state.safetensors",
        "manifest.json",
    ]
    assert library.open("winter").has("keepsake")


def test_the_state_is_not_carried_over(library):
    save(library, step=1)
    save(library, step=2, state=False)
    stored = library.open("winter")
    assert not stored.has("state")
    with pytest.raises(NotFoundError, match="without its state"):
        stored.tensors("state")


def test_a_dropped_state_is_no_damage(library):
    save(library, step=1)
    save(library, step=2)
    path_of(library, "state").unlink()
    stored = library.open("winter")
    assert (stored.warning, stored.generation.step, stored.has("state")) == (None, 2, False)
    assert library.verify("winter") == []


def test_a_name_is_not_taken_over_by_the_other_kind(library):
    save(library)
    with pytest.raises(UsageError, match="a model already"):
        save(library, kind="adaptation")


def test_what_json_cannot_hold_fails_before_anything_is_written(library):
    with pytest.raises(ValueError, match="JSON"):
        library.commit(
            "winter",
            kind="model",
            config={},
            facts={"loss": float("nan")},
            step=1,
            files={"weights": {"a": torch.ones(1)}},
        )
    assert not library.folder("winter").exists()


# Damage


def truncate(path):
    os.truncate(path, path.stat().st_size - 4)


@pytest.mark.parametrize("damage", [flip_bit, truncate, Path.unlink])
@pytest.mark.parametrize("role", ["weights", "keepsake"])
def test_the_previous_save_is_used_whole_and_with_a_warning(library, damage, role):
    save(library, step=1)
    save(library, step=2)
    path = path_of(library, role)
    damage(path)
    stored = library.open("winter")
    assert step_of(stored) == 1
    assert stored.warning is not None
    assert str(path) in stored.warning
    assert "step 1" in stored.warning
    (problem,) = library.verify("winter")
    assert str(path) in problem


def test_a_damaged_state_also_brings_back_the_previous_save(library):
    save(library, step=1)
    save(library, step=2)
    flip_bit(path_of(library, "state"))
    assert step_of(library.open("winter")) == 1


@pytest.mark.parametrize("damage", [flip_bit, truncate, Path.unlink])
def test_files_that_are_not_to_be_used_are_not_looked_at(library, damage):
    save(library, step=1)
    save(library, step=2)
    damage(path_of(library, "state"))
    stored = library.open("winter", roles=("weights", "keepsake"))
    assert stored.generation.step == 2
    assert stored.warning is None
    damage(path_of(library, "weights"))
    assert library.open("winter", roles=("weights", "keepsake")).generation.step == 1


def test_two_damaged_saves_are_an_error_that_says_what_to_run(library):
    save(library, step=1)
    save(library, step=2)
    flip_bit(path_of(library, "weights"))
    flip_bit(path_of(library, "state", generation="previous"))
    with pytest.raises(DamagedError, match=r"000002\.safetensors") as caught:
        library.open("winter")
    assert "ost pretrain FOLDER --name winter --fresh" in caught.value.hint
    assert len(library.verify("winter")) == 2


def test_damage_after_opening_is_found_when_the_tensors_are_read(library):
    save(library)
    stored = library.open("winter")
    flip_bit(path_of(library, "weights"))
    with pytest.raises(DamagedError, match="differs"):
        stored.tensors("weights")


def test_a_reader_overtaken_by_two_saves_looks_again(library, monkeypatch):
    save(library, step=1)
    old = library.manifest("winter")
    for step in (2, 3):
        save(library, step=step)
    now = library.manifest("winter")
    answers = iter([old])
    monkeypatch.setattr(library, "manifest", lambda _: next(answers, now))
    assert step_of(library.open("winter")) == 3


# Failures at every point


class Killed(BaseException):
    """What no handler of ours catches."""


SYSTEM_CALLS = [(os, "fsync"), (os, "replace"), (os, "open"), (Path, "open")]


class NthCall:
    """Make the Nth of several calls fail, counted together."""

    def __init__(self, monkeypatch, nth, error, calls=SYSTEM_CALLS):
        self.left, self.error = nth, error
        for owner, name in calls:
            monkeypatch.setattr(owner, name, self.wrap(getattr(owner, name)))

    def wrap(self, call):
        def counted(*args, **kwargs):
            self.left -= 1
            if self.left == 0:
                raise self.error
            return call(*args, **kwargs)

        return counted


@pytest.mark.parametrize("error", [OSError(28, "disk full"), OSError(5, "broken"), Killed()])
def test_a_save_that_fails_anywhere_leaves_the_old_or_the_new_one_whole(
    tmp_path, monkeypatch, error
):
    outcomes = []
    for nth in range(1, 100):
        library = Library(tmp_path / str(nth))
        for step in (1, 2):
            save(library, step=step)
        with monkeypatch.context() as patch:
            failure = NthCall(patch, nth, error)
            with suppress(OstError, Killed):
                save(library, step=3)
        stored = library.open("winter")
        assert (stored.warning, library.verify("winter")) == (None, [])
        assert not list(library.folder("winter").glob(".*.tmp"))
        outcomes.append(step_of(stored))
        save(library, step=4)
        assert step_of(library.open("winter")) == 4
        assert len(file_names(library)) == 7
        if failure.left > 0:
            break
    assert len(outcomes) > 12
    assert outcomes == sorted(outcomes)
    assert set(outcomes) == {2, 3}


def test_a_first_save_that_fails_leaves_nothing_that_looks_like_a_model(library, monkeypatch):
    def full(*_args):
        raise OSError(28, "disk full")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(ResourceError, match="no space"):
        save(library)
    assert (library.names(), library.unreadable()) == ([], {})
    assert file_names(library) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_save_killed_anywhere_leaves_the_old_or_the_new_one_whole(library):
    save(library, step=1)
    process = in_a_process(
        "import os, torch",
        "from ostcli.store.library import Library, store_root",
        "import filelock, ostcli.store.tensors",
        "def kill_at(nth):",
        "    left = [nth]",
        "    def counted(call):",
        "        def run(*args):",
        "            left[0] -= 1",
        "            os._exit(9) if left[0] == 0 else None",
        "            return call(*args)",
        "        return run",
        "    os.fsync, os.replace = counted(os.fsync), counted(os.replace)",
        "for nth in range(1, 10):",
        "    child = os.fork()",
        "    if child == 0:",
        "        kill_at(nth)",
        "        step = torch.tensor(nth + 1)",
        "        files = {'weights': {'b': step}, 'state': {'moment': step}}",
        "        Library(store_root()).commit('winter', kind='model', config={}, facts={},",
        "                                     step=nth + 1, files=files)",
        "        os._exit(0)",
        "    print(nth, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)",
        "    input()",
        root=library.root,
    )
    steps = []
    for nth in range(1, 10):
        assert process.stdout.readline() == f"{nth} 9\n"
        stored = library.open("winter")
        assert (stored.warning, library.verify("winter")) == (None, [])
        steps.append(step_of(stored))
        process.stdin.write("\n")
        process.stdin.flush()
    process.communicate()
    assert process.returncode == 0
    assert steps == [1] * 8 + [10]  # Only the ninth call comes after the manifest's rename.


# Locks


def test_another_process_keeps_us_from_writing_but_not_from_reading(library):
    save(library)
    process = holding("winter", root=library.root)
    leftover = library.folder("winter") / "000009.safetensors"
    leftover.touch()
    attempts = [
        lambda: save(library),
        lambda: library.remove("winter"),
        lambda: library.rename("winter", "snow"),
        lambda: library.lock("winter").__enter__(),
    ]
    for attempt in attempts:
        with pytest.raises(BusyError, match="another ost process"):
            attempt()
    assert library.prune() == []
    assert step_of(library.open("winter")) == 100
    process.communicate("\n")
    assert library.prune() == [leftover]
    save(library, step=200)


def test_the_holder_of_a_lock_may_save_and_remove(library):
    with library.lock("winter"):
        save(library)
        library.remove("winter")
        save(library)
    assert library.names() == ["winter"]


def test_a_store_that_cannot_be_made_is_an_error_in_words(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="file"):
        save(Library(tmp_path / "file"))


# Extras, last, remove, rename, parents, prune


def test_extras_lie_beside_the_tensors(library):
    library.append_extra("winter", "log.jsonl", "1")
    library.append_extra("winter", "log.jsonl", "2")
    save(library)
    library.write_extra("winter", "preview.png", b"picture")
    assert library.extra_path("winter", "preview.png").read_bytes() == b"picture"
    assert library.extra_path("winter", "log.jsonl").read_text() == "1\n2\n"
    for name in ("manifest.json", "000001.safetensors", "../x", "a/b", "", ".", ".."):
        with pytest.raises(ValueError, match="extra"):
            library.extra_path("winter", name)


def test_the_last_used_is_remembered_for_each_kind(library):
    for name, kind in (("a", "model"), ("b", "model"), ("c", "adaptation")):
        save(library, name, kind=kind)
    library.set_last("model", "b")
    library.set_last("adaptation", "c")
    library.set_last("model", "a")
    assert (library.last("model"), library.last("adaptation")) == ("a", "c")


@pytest.mark.parametrize(
    "text", [None, "", "{", "[]", '{"model": "gone"}', '{"model": []}', '{"model": "adaptation"}']
)
def test_without_a_good_note_the_last_saved_counts(library, text):
    save(library, "older")
    save(library, "newer")
    save(library, "adaptation", kind="adaptation")
    manifest = library.folder("older") / "manifest.json"
    record = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(record | {"updated": "2020-01-01T00:00:00+00:00"}))
    if text is not None:
        (library.root / "last.json").write_text(text)
    assert library.last("model") == "newer"


def test_removing_takes_the_manifest_first_and_then_everything(library, monkeypatch):
    save(library)
    with monkeypatch.context() as patch, suppress(Killed):
        NthCall(patch, 1, Killed(), calls=[(shutil, "rmtree")])
        library.remove("winter")
    assert file_names(library) != []
    assert library.names() == []
    library.remove("winter")
    assert not library.folder("winter").exists()
    with pytest.raises(NotFoundError):
        library.remove("winter")


def test_damaged_ones_can_be_removed(library):
    save(library)
    (library.folder("winter") / "manifest.json").write_text("{")
    library.remove("winter")
    assert library.unreadable() == {}


def test_a_renamed_model_is_the_same_and_stays_the_last(library):
    save(library, "other")
    save(library)
    library.set_last("model", "winter")
    assert library.rename("winter", "snow").name == "snow"
    assert library.names() == ["other", "snow"]
    assert json.loads((library.folder("snow") / "manifest.json").read_text())["name"] == "snow"
    assert library.last("model") == "snow"
    assert step_of(library.open("snow")) == 100
    with pytest.raises(UsageError, match="already"):
        library.rename("snow", "other")
    with pytest.raises(NotFoundError):
        library.rename("winter", "x")


def test_a_folder_renamed_by_hand_has_its_new_name(library):
    save(library)
    library.folder("winter").rename(library.folder("snow"))
    assert library.manifest("snow").name == "snow"


def test_an_adaptation_finds_its_model_by_its_weights(library):
    weights = save(library, step=1).current.files["weights"].sha256
    child = save(library, "child", kind="adaptation", parent=Parent(name="winter", sha256=weights))
    assert library.find_parent(child) == "winter"
    save(library, step=2)
    assert library.find_parent(child) == "winter"  # Still the previous generation.
    library.rename("winter", "snow")
    assert library.find_parent(child) == "snow"
    save(library, "winter", step=9)
    assert library.find_parent(child) == "snow"
    library.remove("snow")
    assert library.find_parent(child) is None
    assert library.find_parent(library.manifest("winter")) is None


def test_of_two_models_with_the_weights_the_named_one_is_the_parent(library):
    weights = save(library, "winter").current.files["weights"].sha256
    save(library, "another")
    child = save(library, "child", kind="adaptation", parent=Parent(name="winter", sha256=weights))
    assert library.find_parent(child) == "winter"


def test_pruning_removes_leftovers_and_nothing_else(library):
    save(library, step=1)
    save(library, step=2)
    kept = file_names(library)
    folder = library.folder("winter")
    old = library.root / ".ost.0123456789abcdef.tmp"
    young = library.root / ".ost.fedcba9876543210.tmp"  # No lock tells whether it is alive.
    dead = folder / ".ost.0123456789abcdef.tmp"
    orphan = folder / "000003.state.safetensors"
    for path in (old, young, dead, orphan, folder / "notes.txt"):
        path.touch()
    os.utime(old, LONG_AGO)
    headless = library.folder("headless")
    headless.mkdir()
    (headless / "000001.safetensors").touch()
    assert library.prune() == [old, headless / "000001.safetensors", headless, dead, orphan]
    assert young.exists()
    assert file_names(library) == sorted([*kept, "notes.txt"])
    assert step_of(library.open("winter")) == 2


def test_pruning_leaves_the_files_of_a_damaged_manifest_alone(library):
    save(library)
    (library.folder("winter") / "manifest.json").write_text("{")
    assert library.prune() == []
    assert len(file_names(library)) == 4
    assert len(library.verify("winter")) == 1


def test_pruning_removes_what_was_never_saved_with_its_preview_and_log(library):
    for name in ("begun", "running", "winter"):
        library.write_extra(name, PREVIEW, b"picture")
        library.append_extra(name, LOG, "1")
    save(library)
    process = holding("running", root=library.root)
    begun = library.folder("begun")
    assert library.prune() == [begun / PREVIEW, begun / LOG, begun]
    process.communicate("\n")
    assert library.extra_path("running", PREVIEW).exists()
    assert library.extra_path("winter", PREVIEW).exists()


def test_a_save_removes_what_killed_ones_left_behind(library):
    save(library)
    library.set_last("model", "winter")
    for path in (library.folder("winter"), library.root):
        (path / ".ost.0123456789abcdef.tmp").touch()
    os.utime(library.root / ".ost.0123456789abcdef.tmp", LONG_AGO)
    save(library)
    library.set_last("model", "winter")
    assert list(library.root.rglob(".ost.*.tmp")) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps names safe by itself")
def test_the_folder_of_a_first_save_is_flushed_too(library, flushed):
    folder = library.folder("winter")
    save(library)
    above = (folder, folder.parent, library.root, library.root.parent)
    assert {each.stat().st_ino for each in above} <= flushed


def test_a_damaged_manifest_is_replaced_only_when_all_is(library):
    old = save(library)
    (library.folder("winter") / "manifest.json").write_text("{")
    with pytest.raises(DamagedError):
        save(library, step=200)
    new = save(library, step=300, replaces=True)
    assert (new.current.number, new.previous) == (old.current.number + 1, None)
    assert step_of(library.open("winter")) == 300
    assert sorted(file_names(library)) == sorted([*new.file_names(), "manifest.json"])


def test_what_a_newer_ost_wrote_is_not_replaced(library):
    save(library)
    manifest = library.folder("winter") / "manifest.json"
    manifest.write_text('{"schema": 2}')
    with pytest.raises(StoreError, match="newer ost"):
        save(library, replaces=True)
    assert manifest.read_text() == '{"schema": 2}'


def test_a_save_that_replaces_another_training_carries_nothing_over(library):
    save(library, step=1)
    old = save(library, step=2)
    new = save(library, step=3, keepsake=False, replaces=True)
    assert (new.current.number, new.previous) == (old.current.number + 1, None)
    assert set(new.current.files) == {"weights", "state"}
    assert sorted(file_names(library)) == sorted([*new.file_names(), "manifest.json"])
    with pytest.raises(UsageError, match="a model already"):
        save(library, kind="adaptation", replaces=True)
