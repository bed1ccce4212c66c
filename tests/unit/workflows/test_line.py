"""The order and the bounds of what is on its way."""

import threading

import pytest
from PIL import Image

from ostcli.images.find import FoundPicture
from ostcli.workflows import line as module
from ostcli.workflows.line import Job, Line


@pytest.fixture
def jobs(tmp_path):
    """Make jobs of pictures of these widths, 10 pixels high; None for no picture."""

    def make(*widths, there=()):
        made = []
        for index, width in enumerate(widths):
            path, output = tmp_path / f"{index}.png", tmp_path / f"out{index}.png"
            path.write_bytes(b"nonsense")
            if width:
                Image.new("RGB", (width, 10)).save(path)
            if index in there:
                output.touch()
            found = FoundPicture(path=path, relative=path)
            made.append(Job(index=index, found=found, output=output, overwrite=False))
        return made

    return make


def indices(jobs):
    return [job.index for job in jobs]


def test_as_many_are_read_ahead_as_there_is_room_for(jobs):
    with Line(jobs(10, 20, 30, 90, 10), lambda job: job, most_pixels=700) as line:
        assert line.begin()
        assert indices(line.reading) == [0, 1, 2]
        line.writing.append(line.reading.popleft())
        line.begin()
        assert indices(line.reading) == [1, 2]  # What is being written takes room as well.


def test_a_picture_larger_than_all_room_is_alone(jobs):
    with Line(jobs(90, 10, 90, 10), lambda job: job, most_pixels=700) as line:
        seen = []
        while line.begin():
            seen.append(indices(line.reading))
            line.write(line.reading.popleft(), lambda: None)
            list(line.written())
    assert seen == [[0], [1], [2], [3]]


def test_without_room_one_thing_is_done_at_a_time(jobs):
    with Line(jobs(1, None, 1, there=[2]), lambda job: job, most_pixels=0) as line:
        for expected in ([0], [1]):
            line.begin()
            assert indices(line.reading)[:1] == expected
            line.write(line.reading.popleft(), lambda: None)
            assert indices(line.written()) == expected


def test_no_more_than_so_many_are_on_their_way(jobs, monkeypatch):
    monkeypatch.setattr(module, "MOST_PICTURES", 3)
    with Line(jobs(*[1] * 6), lambda job: job, most_pixels=10**9) as line:
        line.begin()
        assert indices(line.reading) == [0, 1, 2]


def test_what_is_written_comes_in_order(jobs):
    gates = [threading.Event() for _ in range(3)]
    with Line(jobs(1, 1, 1), lambda job: job, most_pixels=10**9) as line:
        line.begin()
        last = line.reading.pop()
        for gate in gates[:2]:
            line.write(line.reading.popleft(), gate.wait)
        line.reading.append(last)
        gates[1].set()
        assert indices(line.written()) == []  # The second is done, the first is not.
        gates[0].set()
        line.writing[0].writing.result()
        line.writing[1].writing.result()
        assert indices(line.written()) == [0, 1]


def test_a_stop_drops_what_is_not_written_yet(jobs):
    with Line(jobs(1, 1, 1, there=[1]), lambda job: job, most_pixels=10**9) as line:
        line.begin()
        line.write(line.reading.popleft(), lambda: None)
        line.stop()
        assert indices(line.written()) == [0]
        assert not line.begin()


def test_a_failure_waits_for_its_turn(jobs):
    with Line(jobs(1), lambda job: job, most_pixels=0) as line:
        line.begin()
        line.fail(line.reading.popleft(), ValueError("no"))
        [job] = line.written()
        with pytest.raises(ValueError, match="no"):
            job.writing.result()
