"""Words and figures about a result, on networks whose faults are made."""

from dataclasses import replace

import pytest
import torch
from PIL import Image

from ostcli.config import AdaptConfig, Finish, Look, NetworkConfig, PretrainConfig
from ostcli.images.sheet import reduce_for_preview
from ostcli.method.architecture import PictureLayers
from ostcli.presets import adapt_preset, pretrain_preset
from ostcli.workflows.verdict import FEW_PICTURES, judge_adaptation, judge_model

CONFIG = PretrainConfig(network=NetworkConfig(width=4, num_blocks=0))
SIXTY_STEPS = AdaptConfig(steps=60)


class Along(torch.nn.Module):
    """Networks whose paths are functions of pictures."""

    architecture = PictureLayers(NetworkConfig())
    multiple = architecture.multiple

    def __init__(self, translate_ab=None, reconstruct_bb=None):
        super().__init__()
        self.translate_ab = translate_ab
        self.reconstruct_bb = reconstruct_bb
        self.weight = torch.nn.Parameter(torch.zeros(1))


def judged_model(path, folder, config=CONFIG, steps=100):
    return judge_model(Along(reconstruct_bb=path), folder, config, steps)


def blurred(x):
    return torch.nn.functional.avg_pool2d(x, 5, 1, 2, count_include_pad=False)


def flat(x):
    return x.mean((2, 3), keepdim=True).expand_as(x)


def noisy(x):
    return x + 0.15 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))


def to_winter(x):
    return x * 0.5 + 0.45


@pytest.fixture
def folder(pictures):
    return [picture.point(lambda level: level // 2 + 115) for picture in pictures(4, 64, 64)]


@pytest.fixture
def example(pictures):
    return pictures(6, 64, 64)[5]


def test_a_model_that_gives_its_folder_back_is_good(folder):
    verdict = judged_model(lambda x: x, folder * FEW_PICTURES)
    assert verdict.is_good
    assert verdict.advice == ()
    assert verdict.figures["contrast_lost"] < 0.01
    assert verdict.figures["detail_right"] == pytest.approx(1, abs=0.01)
    assert "agrees by 100 %" in verdict.summary


def with_a_grid(x):
    return blurred(blurred(x)) + 0.3 * ((torch.arange(x.shape[-1]) % 4 == 0).float() - 0.25)


@pytest.mark.parametrize("path", [blurred, flat, with_a_grid])
def test_a_soft_or_a_flat_or_a_striped_model_wants_more_steps(folder, path):
    verdict = judged_model(path, folder * FEW_PICTURES)
    assert not verdict.is_good
    assert "--steps 200" in verdict.advice[0]


def test_a_budget_of_minutes_is_doubled_in_minutes(folder):
    config = replace(CONFIG, steps=None, minutes=5.0)
    assert "--minutes 10" in judged_model(flat, folder, config).advice[0]


def test_flat_pictures_say_nothing_of_detail(folder):
    plain = [Image.new("RGB", (64, 64), "grey")] * 3
    assert judged_model(lambda x: x, plain + folder).is_good
    of_plain = judged_model(noisy, plain)
    assert "-" not in of_plain.summary
    assert of_plain.figures.keys() == {"contrast_lost"}


def test_a_small_folder_is_named_though_the_model_is_good(folder):
    verdict = judged_model(lambda x: x, folder)
    assert verdict.is_good
    assert verdict.advice == ("add pictures of the look: 4 are few",)


def judged(
    path,
    example,
    folder,
    finish=Finish.PHOTO,
    *,
    unadapted=lambda x: x,
    model=CONFIG,
    config=SIXTY_STEPS,
    num_pictures=FEW_PICTURES,
):
    return judge_adaptation(
        Along(path),
        Along(reconstruct_bb=unadapted),
        example,
        folder,
        model,
        config,
        config.steps or 60,
        finish,
        num_pictures=num_pictures,
    )


def test_a_translation_towards_the_folder_is_good(example, folder):
    verdict = judged(to_winter, example, folder)
    assert verdict.is_good
    assert verdict.figures["moved"] > 0.3
    assert verdict.figures["detail_kept"] > 0.9
    assert "of the way" in verdict.summary


def test_doing_nothing_is_no_translation(example, folder):
    verdict = judged(lambda x: x, example, folder)
    assert not verdict.is_good
    assert "adapt longer: the same command with --steps 120" in verdict.advice[0]
    assert verdict.figures["moved"] == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize(
    ("look", "other"), [(Look.STYLE, Look.STRUCTURE), (Look.STRUCTURE, Look.STYLE)]
)
def test_where_hardly_anything_changes_the_other_look_may_help(example, folder, look, other):
    model = replace(CONFIG, look=look)
    assert f"--look {other}" in judged(lambda x: x, example, folder, model=model).advice[1]


def test_a_budget_of_minutes_is_doubled_for_an_adaptation_too(example, folder):
    config = AdaptConfig(steps=None, minutes=2.0)
    assert "--minutes 4" in judged(lambda x: x, example, folder, config=config).advice[0]


@pytest.mark.parametrize("finish", [Finish.PHOTO, Finish.NETWORK])
def test_an_adaptation_that_goes_no_farther_than_the_model_did_falls_short(example, folder, finish):
    halfway = lambda x: 0.5 * (x + to_winter(x))  # noqa: E731
    assert judged(to_winter, example, folder, finish, unadapted=halfway).is_good
    verdict = judged(halfway, example, folder, finish, unadapted=to_winter)
    assert verdict.advice == ("adapt longer: the same command with --steps 120",)
    assert verdict.figures["moved"] < verdict.figures["moved_unadapted"]
    assert "before it was adapted" in verdict.summary


def test_a_small_folder_is_named_where_an_adaptation_falls_short(example, folder):
    assert "12 are few" in judged(lambda x: x, example, folder, num_pictures=12).advice[-1]
    assert judged(to_winter, example, folder, num_pictures=12).advice == ()
    of_unknown = judged(lambda x: x, example, folder, num_pictures=0)
    assert not any("are few" in advice for advice in of_unknown.advice)


def test_strokes_are_judged_by_the_distance_that_pulls_them(example, folder, monkeypatch):
    painted = pretrain_preset(of_photographs=False)
    monkeypatch.setattr("ostcli.workflows.verdict.patch_distance", None)
    verdict = judged(
        to_winter, example, folder, Finish.NETWORK, model=painted, config=adapt_preset(painted)
    )
    assert verdict.is_good


def test_going_the_wrong_way_is_said(example, folder):
    assert "has not moved" in judged(lambda x: x - 1, example, folder).summary


def test_an_example_is_held_against_pictures_with_its_shares_of_dark_and_bright(example):
    dark = example.point(lambda level: level // 4)
    darker = [dark.point(lambda level: level // 2)] * 4
    bright = [dark.point(lambda level: 255 - level // 4)] * 4
    verdict = judged(lambda x: (x + 1) / 2 - 1, dark, [*darker, *bright])
    assert verdict.figures["moved"] > 0.8


def test_noise_is_judged_where_a_photograph_is_wanted(example, folder):
    noisy_winter = lambda x: noisy(to_winter(x))  # noqa: E731
    as_strokes = judged(noisy_winter, example, folder, Finish.NETWORK)
    assert as_strokes.is_good
    assert "noise" not in as_strokes.figures


def test_a_torn_or_a_noisy_photograph_wants_a_better_model(example, folder):
    for fault in (noisy, lambda x: x.flip(3)):
        verdict = judged(lambda x, fault=fault: fault(to_winter(x)), example, folder)
        assert "train the model longer" in verdict.advice[0]


def test_a_tiny_example_has_a_verdict_too(example, folder):
    figures = judged(to_winter, example.resize((64, 8)), folder).figures
    assert figures.keys() == {"moved", "moved_unadapted"}


def test_a_large_example_is_judged_at_the_size_of_a_preview(folder):
    sizes = []

    def watched(x):
        sizes.append(tuple(x.shape[2:]))
        return to_winter(x)

    large = Image.effect_noise((3000, 2000), 80).convert("RGB")
    judged(watched, large, folder, unadapted=watched)
    assert sizes
    assert max(map(max, sizes)) < max(reduce_for_preview(large).size) + 2 * Along.multiple
