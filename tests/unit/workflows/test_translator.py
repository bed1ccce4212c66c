"""One picture through one path, of any size."""

import threading

import numpy as np
import pytest
import torch
from PIL import Image

from ostcli.config import Direction, Finish, Precision, Preset, ViewConfig
from ostcli.errors import UsageError
from ostcli.events import Collected, Note
from ostcli.method.architecture import build_networks
from ostcli.method.networks import NetworkPath
from ostcli.presets import pretrain_preset
from ostcli.workflows import translator as module
from ostcli.workflows.translator import SMALLEST, Translator, path_to, view_of

VIEW = ViewConfig(size=16, working_pixels=40 * 30)
SIZES = [(1, 1), (2, 31), (17, 33), (32, 32), (33, 20), (300, 4), (40, 30)]


@pytest.fixture
def networks(tiny_network):
    return build_networks(tiny_network, seed=3, with_domain_a=True).eval().requires_grad_(False)


def array(image):
    return np.asarray(image).astype(int)


def test_each_direction_has_its_path(networks):
    x = torch.rand(1, 3, 32, 32) * 2 - 1
    for to, path in ((Direction.A, networks.translate_ba), (Direction.B, networks.translate_ab)):
        assert torch.equal(path_to(networks, to)(x), path(x))


@pytest.mark.parametrize("size", SIZES)
def test_a_path_that_changes_nothing_gives_the_picture_back(networks, noise_picture, size):
    image = noise_picture(*size)
    translator = Translator(networks, lambda x: x, VIEW)
    assert translator.translate(image).tobytes() == image.tobytes()


@pytest.mark.parametrize("size", SIZES)
def test_the_path_sees_sizes_that_the_networks_divide_evenly(networks, noise_picture, size):
    seen = []
    image = noise_picture(*size)
    Translator(networks, lambda x: seen.append(x) or -x, VIEW).network_pixels(image)
    [x] = seen
    height, width = x.shape[-2:]
    assert x.shape[:2] == (1, 3)
    assert height % networks.multiple == width % networks.multiple == 0
    assert SMALLEST <= height < max(SMALLEST + 1, image.height + networks.multiple)
    assert SMALLEST <= width < max(SMALLEST + 1, image.width + networks.multiple)
    inside = x[0, :, : image.height, : image.width].permute(1, 2, 0)
    assert np.abs((inside.numpy() + 1) * 127.5 - array(image)).max() < 0.01
    assert x.min() >= inside.min()  # Continued by the picture's own pixels, not by black.
    assert x.max() <= inside.max()


def test_the_pixels_are_those_of_the_path(networks, noise_picture):
    image = noise_picture(17, 33)
    negative = Translator(networks, lambda x: -x, VIEW).network_pixels(image)
    assert np.array_equal(array(negative), 255 - array(image))


@pytest.mark.parametrize("precision", [Precision.FP32, Precision.BF16])
@pytest.mark.parametrize("size", [(17, 33), (32, 32)])
def test_pictures_at_once_come_out_as_they_do_alone(networks, size, precision):
    rng = np.random.default_rng(0)
    images = [Image.fromarray(rng.integers(256, size=(*size, 3), dtype=np.uint8)) for _ in range(3)]
    translator = Translator(networks, networks.translate_ab, VIEW, precision=precision)
    together = translator.network_pixels_of(images)
    for image, pixels in zip(images, together, strict=True):
        assert pixels.size == image.size
        assert np.abs(array(pixels) - array(translator.network_pixels(image))).max() <= 1


def test_bf16_comes_near_to_fp32(networks, noise_picture):
    image = noise_picture(48, 48)
    path = networks.translate_ab
    exact, rounded = (
        array(Translator(networks, path, VIEW, precision=precision).network_pixels(image))
        for precision in (Precision.FP32, Precision.BF16)
    )
    assert 0 < np.abs(exact - rounded).max() <= 8


@pytest.fixture
def two_threads():
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


def test_a_cpu_gives_each_of_small_pictures_a_thread(networks, noise_picture, two_threads):
    used = []

    def path(x):
        used.append((threading.current_thread().name, torch.get_num_threads(), len(x)))
        return x

    translator = Translator(networks, path, VIEW)
    images = [noise_picture(40, 32)] * 2
    assert translator.num_at_once((40, 32)) == 2
    assert translator.num_at_once((1000, 1000)) == 1
    for pixels in translator.network_pixels_of(images):
        assert np.array_equal(array(pixels), array(images[0]))
    assert [(number, num_pictures) for _, number, num_pictures in used] == [(1, 1), (1, 1)]
    assert all(name.startswith("ost-network") for name, _, _ in used)
    assert torch.get_num_threads() == 2


def test_want_of_memory_in_its_threads_is_met_by_tiles(
    networks, noise_picture, two_threads, monkeypatch
):
    translator = Translator(networks, networks.translate_ab, VIEW)
    alone = array(translator.network_pixels(noise_picture(40, 32)))

    def without_memory(*given):
        raise MemoryError

    monkeypatch.setattr(translator, "_whole", without_memory)
    made = translator.network_pixels_of([noise_picture(40, 32)] * 2)
    for pixels in made:
        assert np.abs(array(pixels) - alone).max() <= 1


def test_a_large_picture_is_seen_small_and_given_back_large(networks, noise_picture):
    seen = []
    translator = Translator(networks, lambda x: seen.append(x.shape) or x, VIEW)
    assert translator.translate(noise_picture(160, 120)).size == (160, 120)
    assert seen == [(1, 3, 32, 40)]


def test_the_photo_finish_keeps_the_detail_that_the_network_did_not_see(networks, noise_picture):
    image = noise_picture(160, 120)

    def detail(finish):
        made = Translator(networks, lambda x: 0.9 * x, VIEW, finish=finish).translate(image)
        return np.diff(array(made), axis=0).std() / np.diff(array(image), axis=0).std()

    assert detail(Finish.PHOTO) > 0.8
    assert detail(Finish.NETWORK) < 0.3


@pytest.mark.parametrize("finish", [Finish.PHOTO, Finish.NETWORK])
def test_strength_goes_from_the_source_to_the_translation(networks, noise_picture, finish):
    image = noise_picture(60, 50)

    def made(strength):
        path = networks.translate_ab
        translator = Translator(networks, path, VIEW, finish=finish, strength=strength)
        return array(translator.translate(image))

    assert np.array_equal(made(0.0), array(image))
    assert np.abs(made(0.25) - (0.75 * array(image) + 0.25 * made(1.0))).max() <= 1


def test_the_same_picture_gives_the_same_pixels(networks, noise_picture):
    image = noise_picture(50, 30)
    translator = Translator(networks, networks.translate_ab, VIEW, finish=Finish.PHOTO)
    assert translator.translate(image).tobytes() == translator.translate(image).tobytes()


def without_memory(monkeypatch, times):
    """Let a path find no memory for the whole; and its tiles neither, so many times."""
    sides, in_tiles = [], module.translate_in_tiles

    def whole(self, pictures):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    def tiles(path, picture, *, side, memory):
        sides.append(side)
        if len(sides) <= times:
            raise MemoryError
        return in_tiles(path, picture, side=side, memory=memory)

    monkeypatch.setattr(NetworkPath, "__call__", whole)
    monkeypatch.setattr(module, "translate_in_tiles", tiles)
    return sides


@pytest.mark.parametrize("size", [(70, 41), (33, 300), (7, 5)])
def test_a_picture_that_memory_does_not_hold_whole_goes_in_tiles_and_is_told(
    networks, noise_picture, monkeypatch, size
):
    image, events = noise_picture(*size), Collected()
    translator = Translator(networks, networks.translate_ab, VIEW, on_event=events)
    whole = array(translator.network_pixels(image))
    assert not events.events

    sides = without_memory(monkeypatch, times=2)
    assert np.abs(array(translator.network_pixels(image)) - whole).max() <= 1
    assert sides == [256, 128, 64]
    assert np.abs(array(translator.network_pixels(image)) - whole).max() <= 1
    [note] = events.of(Note)  # Once: the second picture is not tried as a whole.
    assert "not enough memory for the whole picture at once" in note.text


def test_a_picture_that_no_tile_finds_memory_for_is_an_error(networks, noise_picture, monkeypatch):
    sides = without_memory(monkeypatch, times=9)
    with pytest.raises(MemoryError):
        Translator(networks, networks.translate_ab, VIEW).network_pixels(noise_picture(40, 30))
    assert sides == [256, 128, 64]


def test_another_error_is_not_taken_for_want_of_memory(networks, noise_picture, monkeypatch):
    def broken(self, pictures):
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(NetworkPath, "__call__", broken)
    with pytest.raises(RuntimeError, match="do not fit"):
        Translator(networks, networks.translate_ab, VIEW).network_pixels(noise_picture(40, 30))


def test_a_picture_too_large_for_the_whole_goes_in_tiles_at_once(
    networks, noise_picture, monkeypatch
):
    image, events = noise_picture(90, 50), Collected()
    whole = array(Translator(networks, networks.translate_ab, VIEW).network_pixels(image))

    monkeypatch.setattr(module, "memory_for_whole", lambda device: 100_000)
    sides = without_memory(monkeypatch, times=0)
    translator = Translator(networks, networks.translate_ab, VIEW, on_event=events)
    assert np.abs(array(translator.network_pixels(image)) - whole).max() <= 1
    assert sides == [256]
    assert not events.events


def test_fp16_is_near_fp32(networks, noise_picture):
    image = noise_picture(64, 48)
    made = {
        precision: array(
            Translator(networks, networks.translate_ab, VIEW, precision=precision).translate(image)
        )
        for precision in (Precision.FP32, Precision.FP16)
    }
    assert np.abs(made[Precision.FP16] - made[Precision.FP32]).mean() < 2


def test_what_is_too_large_for_fp16_is_done_in_fp32(networks, noise_picture):
    def path(pictures):
        return torch.nn.functional.conv2d(pictures, torch.full((3, 3, 1, 1), 1e5)) / 1e6

    events = Collected()
    translator = Translator(networks, path, VIEW, precision=Precision.FP16, on_event=events)
    images = [noise_picture(64, 48), noise_picture(64, 48)]
    expected = array(Translator(networks, path, VIEW).network_pixels(images[0]))
    for _ in range(2):
        for pixels in translator.network_pixels_of(images):
            assert np.array_equal(array(pixels), expected)
    assert [event.text for event in events.events] == [
        "fp16 is too small for these numbers: going on in fp32"
    ]


@pytest.mark.parametrize("preset", Preset)
def test_megapixels_say_how_much_of_a_picture_is_seen(networks, noise_picture, preset):
    seen, image = [], noise_picture(600, 400)
    view = view_of(pretrain_preset(preset).view, 0.12)
    Translator(networks, lambda x: seen.append(x.shape) or x, view).translate(image)
    view = view_of(view, 24)
    Translator(networks, lambda x: seen.append(x.shape) or x, view).translate(image)
    assert seen == [(1, 3, 284, 424), (1, 3, 400, 600)]


@pytest.mark.parametrize("megapixels", [0.0, -1.0, 0.0002, float("inf"), float("nan")])
def test_megapixels_that_make_no_sense_are_refused(megapixels):
    with pytest.raises(UsageError, match=r"a number of at least 0\.000256"):
        view_of(VIEW, megapixels)


def test_without_megapixels_the_view_stays():
    assert view_of(VIEW, None) is VIEW
