import dataclasses
import math
import time
from collections import Counter

import pytest
import torch

from ostcli.config import LossWeights, Precision
from ostcli.errors import PictureError, ResourceError, TrainingFailedError
from ostcli.events import Collected, Note, RolledBack, StepDone, TrainingPlanned
from ostcli.training import loop
from ostcli.training.loop import Hooks, Training, measure, run
from ostcli.training.schedule import Schedule
from ostcli.training.stack import Stack


class Watch:
    """Hooks that write down what they are asked."""

    def __init__(self, *, stop_after=None, on_preview=lambda: None, **every):
        self.events = Collected()
        self.saves = []
        self.previews = 0
        self.stop_after = stop_after
        self.on_preview = on_preview
        self.hooks = Hooks(
            save=self.saves.append,
            preview=self.preview,
            should_stop=self.should_stop,
            on_event=self.events,
            **every,
        )

    def preview(self):
        self.previews += 1
        self.on_preview()

    def should_stop(self):
        return self.stop_after is not None and len(self.of(StepDone)) >= self.stop_after

    def of(self, kind):
        return self.events.of(kind)


def steps(num_steps):
    return Schedule(num_steps=num_steps, seconds=None, decay_share=0.25)


def train(trainer, schedule, make_batch, hooks, **options):
    """Run a single training."""
    run([Training("winter", trainer, make_batch, hooks)], schedule, **options)


class Broken:
    """Batches of which those of one step are not numbers, the first few times it is made."""

    def __init__(self, make_batch, at, times):
        self.make_batch = make_batch
        self.at = at
        self.times = times
        self.asked = Counter()

    def __call__(self, step):
        batch = self.make_batch(step)
        self.asked[step] += 1
        if step == self.at and self.asked[step] <= self.times:
            return {domain: views * math.nan for domain, views in batch.items()}
        return batch


def as_bytes(tensors):
    return {name: tensor.numpy().tobytes() for name, tensor in tensors.items()}


def weights_of(trainer):
    return as_bytes(trainer.networks.state_dict())


def all_finite(trainer):
    return all(weight.isfinite().all() for weight in trainer.networks.parameters())


@pytest.mark.parametrize("phase", ["one", "two"])
def test_the_plan_comes_first_then_every_step_then_the_save(phase, make_trainer, make_batch):
    trainer, watch = make_trainer(phase), Watch()

    began = time.monotonic()
    train(trainer, steps(6), make_batch, watch.hooks)
    took = time.monotonic() - began

    planned, *done = watch.events.events
    assert isinstance(planned, TrainingPlanned)
    assert (planned.name, planned.device, planned.precision) == ("winter", "CPU", "fp32")
    assert (planned.first_step, planned.num_steps, planned.num_threads) == (0, 6, 1)
    assert planned.seconds == pytest.approx(6 * planned.seconds_per_step)
    assert [event.step for event in done] == [1, 2, 3, 4, 5, 6]
    assert all(isinstance(event, StepDone) and event.num_steps == 6 for event in done)
    assert {"rec_b", "kl_b", "gan_b", "dis_b"} <= set(done[0].losses)
    assert done[-1].seconds_left == 0
    [seconds] = watch.saves
    assert planned.seconds_per_step < seconds < took
    assert trainer.step == 6


def test_the_loop_does_the_steps_that_the_trainer_would_do_alone(make_trainer, make_batch):
    looped, alone = make_trainer(), make_trainer()

    train(looped, steps(8), make_batch, Watch().hooks)
    for step in range(8):
        alone.do_step(make_batch(step), steps(8).rate(step, 0.0))

    assert weights_of(looped) == weights_of(alone)


def test_measuring_takes_no_step(make_trainer, make_batch):
    measured, alone = make_trainer(), make_trainer()

    result = measure(Stack([measured]), make_batch(0))

    assert result.seconds > 0
    assert result.seconds_one > 0
    assert measured.step == 0
    for trainer in (measured, alone):
        trainer.do_step(make_batch(0), 1.0)
    assert as_bytes(measured.state()) == as_bytes(alone.state())


@pytest.mark.parametrize(("share", "chosen"), [(0.1, Precision.BF16), (0.99, Precision.FP32)])
def test_half_precision_is_chosen_only_where_it_pays(
    share, chosen, make_trainer, make_batch, monkeypatch
):
    seconds = {Precision.FP32: 1.0, Precision.BF16: share}
    monkeypatch.setattr(loop, "_step_time", lambda trainer, *_, **__: seconds[trainer.precision])
    trainer = make_trainer()
    trainer.precision = Precision.AUTO

    measure(Stack([trainer]), make_batch(0))

    assert trainer.precision is chosen


@pytest.mark.parametrize(
    ("seconds_last", "order"), [(0.9, torch.channels_last), (0.99, torch.contiguous_format)]
)
def test_channels_lie_last_on_a_gpu_only_where_it_pays(
    seconds_last, order, make_trainer, make_batch, monkeypatch
):
    monkeypatch.setattr(Stack, "device", torch.device("cuda"))
    seconds = {torch.contiguous_format: 1.0, torch.channels_last: seconds_last}
    monkeypatch.setattr(
        loop,
        "_step_time",
        lambda stack, *_, memory_format=None, **__: seconds[memory_format or stack.memory_format],
    )
    stack = Stack([make_trainer("one")])

    assert measure(stack, make_batch(0)).seconds == seconds[order]
    assert stack.memory_format is order


def test_a_device_without_half_precision_computes_in_single(make_trainer, make_batch, monkeypatch):
    trainer = make_trainer()
    trainer.precision = Precision.AUTO
    do_step = type(trainer).do_step

    def only_single(trainer, batch, rate):
        if trainer.precision is Precision.BF16:
            raise RuntimeError("not implemented for 'BFloat16'")
        return do_step(trainer, batch, rate)

    monkeypatch.setattr(type(trainer), "do_step", only_single)
    measure(Stack([trainer]), make_batch(0))

    assert trainer.precision is Precision.FP32


def test_hopeless_half_precision_is_given_up_after_one_step(make_trainer, make_batch, monkeypatch):
    trainer, steps_in = make_trainer(), Counter()
    trainer.precision = Precision.AUTO
    do_step = type(trainer).do_step

    def slow_in_half(trainer, batch, rate):
        steps_in[trainer.precision] += 1
        if trainer.precision is Precision.BF16:
            time.sleep(0.5)
        return do_step(trainer, batch, rate)

    monkeypatch.setattr(type(trainer), "do_step", slow_in_half)
    measure(Stack([trainer]), make_batch(0))

    assert trainer.precision is Precision.FP32
    assert steps_in[Precision.BF16] == 2  # one to warm up, one to judge


class Governor:
    """Stands in for the one of the threads; gives way at some step."""

    def __init__(self, at_step=None, threads=1):
        self.at_step = at_step
        self.num_threads = threads
        self.took = []
        self.given = []

    @property
    def gave_way(self):
        return self.at_step is not None and len(self.took) >= self.at_step

    def step_took(self, seconds):
        self.took.append(seconds)

    def measured(self, seconds, seconds_one):
        self.given.append((seconds, seconds_one))


@pytest.fixture
def governed(monkeypatch):
    """Let a governor of the test's watch the next run."""

    def govern(**options):
        governor = Governor(**options)
        monkeypatch.setattr(loop, "governor_for", lambda device: governor)
        return governor

    return govern


def test_what_is_measured_is_governed_and_known_to_the_governor(make_trainer, make_batch, governed):
    governor = governed()
    train(make_trainer(), steps(5), make_batch, Watch().hooks)
    assert len(governor.given) == 1
    assert len(governor.took) > 5


def test_all_is_measured_again_if_the_threads_change_meanwhile(
    make_trainer, make_batch, monkeypatch
):
    trainer, asked = make_trainer(), []
    trainer.precision = Precision.AUTO
    stack = Stack([trainer])
    given = iter([4, 2, 2, 2, 2, 2])
    monkeypatch.setattr(torch, "get_num_threads", lambda: next(given))
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    monkeypatch.setattr(
        loop, "_step_time", lambda one, *_, **__: asked.append(one.precision) or 1.0
    )

    measure(stack, make_batch(0))

    both = [Precision.FP32, Precision.BF16]
    assert asked == [*both, *both, Precision.FP32]  # and with one thread, in what was chosen
    assert trainer.precision is Precision.FP32


@pytest.mark.parametrize(
    ("threads", "words"), [(1, "training with one thread"), (3, "training with 3 threads")]
)
def test_giving_way_to_other_programs_is_told_once(
    make_trainer, make_batch, governed, threads, words
):
    governed(at_step=9, threads=threads)
    watch = Watch()
    train(make_trainer(), steps(12), make_batch, watch.hooks)
    [note] = watch.of(Note)
    assert words in note.text
    assert not note.warning


def test_undisturbed_there_is_no_word_of_threads(make_trainer, make_batch, governed):
    governed()
    watch = Watch()
    train(make_trainer(), steps(5), make_batch, watch.hooks)
    assert not watch.of(Note)


def test_waiting_for_pictures_is_no_sign_of_busy_cores(make_trainer, make_batch, governed):
    governor, watch = governed(), Watch()

    def slowly(step):
        time.sleep(0.2)
        return make_batch(step)

    train(make_trainer(), steps(12), slowly, watch.hooks)

    assert min(governor.took) < 0.1
    rates = [event.steps_per_second for event in watch.of(StepDone)]
    assert rates[-1] < rates[0]  # what is told of the time left includes the waiting


def test_a_run_goes_on_where_the_trainer_is(make_trainer, make_batch):
    whole, halves = make_trainer(), make_trainer()
    watch = Watch(stop_after=3)

    train(whole, steps(6), make_batch, Watch().hooks)
    train(halves, steps(6), make_batch, watch.hooks)
    assert (halves.step, len(watch.saves)) == (3, 1)
    again = make_trainer()
    again.load_state(halves.state())
    second = Watch()
    train(again, steps(6), make_batch, second.hooks, seconds_before=watch.saves[0])

    assert second.of(TrainingPlanned)[0].first_step == 3
    assert [event.step for event in second.of(StepDone)] == [4, 5, 6]
    assert second.saves[0] > watch.saves[0]
    assert weights_of(again) == weights_of(whole)


def test_a_budget_of_time_ends_the_run_and_counts_earlier_runs(make_trainer, make_batch):
    minute = Schedule(num_steps=None, seconds=60.0, decay_share=0.25)
    trainer, watch = make_trainer(), Watch()

    train(trainer, minute, make_batch, watch.hooks, seconds_before=57.0)

    assert 60 <= watch.saves[-1] < 65
    assert trainer.step > 0
    assert watch.of(StepDone)[-1].num_steps >= trainer.step


def test_a_run_whose_budget_is_used_takes_no_step(make_trainer, make_batch):
    trainer, watch = make_trainer(), Watch()
    trainer.step = 6

    train(trainer, steps(6), make_batch, watch.hooks)

    assert watch.of(StepDone) == []
    assert trainer.step == 6


def test_saves_and_previews_come_in_time(make_trainer, make_batch):
    always = Watch(save_every=0.0, preview_every=0.0)
    never = Watch(save_every=1e9, preview_every=1e9)

    for watch in (always, never):
        train(make_trainer(), steps(4), make_batch, watch.hooks)

    assert (len(always.saves), always.previews) == (5, 4)
    assert (len(never.saves), never.previews) == (1, 0)


def test_a_preview_that_cannot_be_written_is_a_warning(make_trainer, make_batch):
    def fail():
        raise OSError("the disk is full")

    trainer, watch = make_trainer(), Watch(on_preview=fail, preview_every=0.0)

    train(trainer, steps(3), make_batch, watch.hooks)

    assert trainer.step == 3
    assert watch.of(Note)[0] == Note(text="no preview: the disk is full", warning=True)


@pytest.mark.parametrize("phase", ["one", "two"])
def test_a_nan_is_rolled_back_and_training_goes_on_at_half_the_rate(
    phase, make_trainer, make_batch
):
    trainer, watch = make_trainer(phase), Watch()
    broken = Broken(make_batch, at=5, times=1)

    train(trainer, steps(8), broken, watch.hooks)

    (rolled_back,) = watch.of(RolledBack)
    assert (rolled_back.from_step, rolled_back.to_step) == (6, 0)
    assert "not a finite number" in rolled_back.reason
    assert rolled_back.learning_rate == pytest.approx(0.5 * trainer.optim.learning_rate)
    assert [event.step for event in watch.of(StepDone)] == [*range(1, 6), *range(1, 9)]
    assert trainer.rate_factor == 0.5
    assert all_finite(trainer)
    assert len(watch.saves) == 1


def test_after_three_roll_backs_the_run_fails_and_keeps_the_last_good_state(
    make_trainer, make_batch
):
    trainer, watch = make_trainer(), Watch()
    broken = Broken(make_batch, at=2, times=99)

    with pytest.raises(TrainingFailedError, match=r"'winter' failed 4 times.*step 3") as caught:
        train(trainer, steps(8), broken, watch.hooks)

    rate = trainer.optim.learning_rate
    assert [event.learning_rate for event in watch.of(RolledBack)] == pytest.approx(
        [rate / 2, rate / 4, rate / 8]
    )
    assert caught.value.hint
    assert len(watch.saves) == 1
    assert trainer.step == 0
    assert all_finite(trainer)


def test_a_roll_back_goes_to_the_older_of_two_snapshots(make_trainer, make_batch, monkeypatch):
    monkeypatch.setattr(loop, "SNAPSHOT_STEPS", 2)
    watch = Watch()

    train(make_trainer(), steps(9), Broken(make_batch, at=7, times=1), watch.hooks)

    assert [(event.from_step, event.to_step) for event in watch.of(RolledBack)] == [(8, 4)]


def test_a_second_roll_back_does_not_return_to_what_the_first_gave_up(
    make_trainer, make_batch, monkeypatch
):
    monkeypatch.setattr(loop, "SNAPSHOT_STEPS", 2)
    trainer, watch = make_trainer(), Watch()

    train(trainer, steps(9), Broken(make_batch, at=5, times=3), watch.hooks)

    assert [event.to_step for event in watch.of(RolledBack)] == [2, 2, 2]
    assert trainer.rate_factor == 1 / 8


@pytest.mark.parametrize(
    ("num_steps", "apart"), [(9, 50), (200, 50), (400, 100), (1000, 250), (6000, 250)]
)
def test_short_trainings_keep_states_more_often(num_steps, apart):
    assert loop._snapshot_steps(num_steps) == apart


def test_roll_backs_of_earlier_runs_count(make_trainer, make_batch):
    first, second, watch = make_trainer(), make_trainer(), Watch()
    train(first, steps(8), Broken(make_batch, at=5, times=3), Watch().hooks)
    second.load_state(first.state())

    with pytest.raises(TrainingFailedError, match="failed 4 times"):
        train(second, steps(20), Broken(make_batch, at=10, times=1), watch.hooks)

    assert first.num_roll_backs == 3
    assert watch.of(RolledBack) == []


def test_a_picture_that_vanishes_ends_the_run_but_loses_no_step(make_trainer, make_batch, tmp_path):
    def make(step):
        if step == 3:
            raise PictureError(tmp_path / "gone.png", "there is no such file")
        return make_batch(step)

    trainer, watch, saved_at = make_trainer(), Watch(), []
    hooks = dataclasses.replace(watch.hooks, save=lambda _: saved_at.append(trainer.step))

    with pytest.raises(PictureError, match=r"gone\.png"):
        train(trainer, steps(8), make, hooks)

    assert saved_at == [3]


def test_a_fault_in_the_batches_ends_the_run_and_gives_the_threads_back(make_trainer, make_batch):
    def make(step):
        if step == 2:
            raise ValueError("no such picture")
        return make_batch(step)

    threads = torch.get_num_threads()
    with pytest.raises(ValueError, match="no such picture"):
        train(make_trainer(), steps(5), make, Watch().hooks)

    assert torch.get_num_threads() == threads


def test_want_of_memory_is_a_sentence_and_other_faults_are_not_hidden(
    make_trainer, make_batch, monkeypatch
):
    trainer = make_trainer()
    for error, expected in (
        (RuntimeError("CUDA out of memory"), ResourceError),
        (RuntimeError("a bug"), RuntimeError),
    ):

        def fail(batch, rate, error=error):
            raise error

        monkeypatch.setattr(trainer, "do_step", fail)
        monkeypatch.setattr(loop, "_step_time", lambda *_, **__: 0.1)
        with pytest.raises(expected, match=r"out of memory|a bug"):
            train(trainer, steps(5), make_batch, Watch().hooks)


@pytest.fixture
def told_errors(monkeypatch):
    """Let the folder's reconstruction error read as told, by the number of the step."""

    def tell(error_of):
        calls = Counter()
        figures_of = loop.figures_of

        def told(records):
            calls["steps"] += 1
            [figures] = figures_of(records)
            return [figures._replace(losses={**figures.losses, "rec_b": error_of(calls["steps"])})]

        monkeypatch.setattr(loop, "figures_of", told)

    return tell


def sloping(step):
    """Be well for 60 steps, worse for 120, though not collapsed; then collapse, once."""
    if step <= 60 or step > 200:
        return 0.05
    return 0.12 if step <= 180 else 0.9


def test_a_collapse_is_rolled_back_to_before_its_slope(make_trainer, make_batch, told_errors):
    told_errors(sloping)
    trainer, watch = make_trainer(), Watch()

    train(trainer, steps(200), make_batch, watch.hooks)

    (rolled_back,) = watch.of(RolledBack)
    assert "the reconstruction has collapsed" in rolled_back.reason
    assert 180 < rolled_back.from_step < 200
    assert rolled_back.to_step == 0  # not 100 or 150, which were on the slope
    assert trainer.step == 200


def test_a_stop_on_the_slope_of_a_collapse_keeps_the_last_good_state(
    make_trainer, make_batch, told_errors
):
    told_errors(sloping)
    trainer, watch = make_trainer(), Watch(stop_after=120, save_every=0.0)

    train(trainer, steps(200), make_batch, watch.hooks)

    assert trainer.step == 50
    assert trainer.num_roll_backs == 0
    assert trainer.health.is_sound
    assert 60 < len(watch.saves) < 120  # none on the slope but the last


def test_a_last_step_that_spoils_the_weights_is_taken_again(make_trainer, make_batch):
    trainer, watch = make_trainer(), Watch()
    do_step, spoilt = trainer.do_step, []

    def spoil_once(batch, rate):
        record = do_step(batch, rate)
        if trainer.step == 8 and not spoilt:
            spoilt.append(trainer.step)
            trainer.networks.decoder_b[-1].weight.data.fill_(math.nan)
        return record

    trainer.do_step = spoil_once
    train(trainer, steps(8), make_batch, watch.hooks)

    assert len(watch.of(RolledBack)) == 1
    assert trainer.step == 8
    assert all_finite(trainer)


# Several at once


@pytest.fixture
def make_examples(make_trainer, make_batch):
    """Make trainings of several examples beside a folder that does not learn."""
    weights = LossWeights(weight_adversarial_ab=0.0, weight_patch_ab=10.0)

    def views_of(example):
        def make(step):
            return {"a": make_batch(1000 * example + step)["a"], "b": make_batch(step)["b"]}

        return make

    def make(watches, broken=()):
        return [
            Training(
                f"example-{number}",
                make_trainer(folder_learns=False, weights=weights),
                broken[number](views_of(number)) if number in broken else views_of(number),
                watch.hooks,
            )
            for number, watch in enumerate(watches)
        ]

    return make


def test_examples_together_come_to_what_each_comes_to_alone(make_examples):
    watches, apart = [Watch() for _ in range(3)], [Watch() for _ in range(3)]
    together, alone = make_examples(watches), make_examples(apart)

    run(together, steps(6))
    for training in alone:
        run([training], steps(6))

    for one, other in zip(together, alone, strict=True):
        assert one.trainer.step == 6
        for weight, expected in zip(
            one.trainer.networks.parameters(), other.trainer.networks.parameters(), strict=True
        ):
            torch.testing.assert_close(weight, expected, atol=2e-4, rtol=1e-3)
    [planned] = watches[0].of(TrainingPlanned)
    assert planned.name == "example-0 and 2 more"
    assert [event.step for event in watches[0].of(StepDone)] == [1, 2, 3, 4, 5, 6]
    assert [len(watch.saves) for watch in watches] == [1, 1, 1]


@pytest.mark.parametrize(("threads", "expected"), [(1, 3 * 4.0), (2, 3 * 4.0 / 2), (8, 4.0)])
def test_threads_that_share_examples_out_are_reckoned_with(
    make_examples, monkeypatch, threads, expected
):
    watches, before = [Watch() for _ in range(3)], torch.get_num_threads()
    together = make_examples(watches)
    measured = loop.Measured(seconds=3.0, seconds_one=4.0)
    monkeypatch.setattr(loop, "measure", lambda *_: measured)
    monkeypatch.setattr(loop, "governor_for", lambda _: None)
    torch.set_num_threads(threads)
    try:
        run(together, steps(1))
    finally:
        torch.set_num_threads(before)
    [planned] = watches[0].of(TrainingPlanned)
    assert planned.seconds_per_step == pytest.approx(expected)


def test_each_is_told_its_own_losses_and_the_first_their_means(make_examples):
    own = [[], []]
    watches = [Watch(on_step=losses.append) for losses in own]
    run(make_examples(watches), steps(3))
    told = [event.losses["rec_a"] for event in watches[0].of(StepDone)]
    for mean, one, other in zip(told, *own, strict=True):
        assert one.losses["rec_a"] != other.losses["rec_a"]
        assert mean == pytest.approx((one.losses["rec_a"] + other.losses["rec_a"]) / 2)


def test_one_that_goes_wrong_leaves_the_others_and_goes_on_by_itself(make_examples, monkeypatch):
    monkeypatch.setattr(loop, "SNAPSHOT_STEPS", 2)
    told = []
    watches = [Watch(), Watch(), Watch(on_step=told.append)]
    trainings = make_examples(watches, {1: lambda make: Broken(make, at=4, times=1)})

    assert run(trainings, steps(8)) == {}

    assert [training.trainer.step for training in trainings] == [8, 8, 8]
    assert [len(watch.of(RolledBack)) for watch in watches] == [0, 1, 0]
    assert watches[1].of(RolledBack)[0].name == trainings[1].name
    assert [training.trainer.num_roll_backs for training in trainings] == [0, 1, 0]
    assert watches[1].of(TrainingPlanned)[0].name == "example-1"
    assert all(all_finite(training.trainer) for training in trainings)
    assert [len(watch.saves) for watch in watches] == [1, 1, 1]
    assert [event.step for event in told] == list(range(1, 9))


def test_one_that_fails_for_good_is_named_and_stops_no_other(make_examples):
    watches = [Watch() for _ in range(3)]
    trainings = make_examples(watches, {0: lambda make: Broken(make, at=4, times=99)})

    failed = run(trainings, steps(8))

    assert list(failed) == ["example-0"]
    assert "failed 4 times" in str(failed["example-0"])
    assert [training.trainer.step for training in trainings[1:]] == [8, 8]
    assert [len(watch.saves) for watch in watches] == [1, 1, 1]


def test_memory_too_short_for_all_of_them_is_said_and_one_follows_another(
    make_examples, monkeypatch
):
    monkeypatch.setattr(loop, "SNAPSHOT_STEPS", 2)
    step, watches = loop.Stack.do_step, [Watch(), Watch()]

    def short_of_memory(stack, batch, rate):
        if len(stack.trainers) > 1 and stack.step == 3:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return step(stack, batch, rate)

    monkeypatch.setattr(loop.Stack, "do_step", short_of_memory)
    together, alone = make_examples(watches), make_examples([Watch(), Watch()])
    assert run(together, steps(6)) == {}
    for training in alone:
        run([training], steps(6))

    assert [note.text for note in watches[0].of(Note)] == [
        "not enough memory for 2 trainings at once: one follows another"
    ]
    assert [len(watch.saves) for watch in watches] == [1, 1]
    for one, other in zip(together, alone, strict=True):
        assert (one.trainer.step, one.trainer.num_roll_backs) == (6, 0)
        for weight, expected in zip(
            one.trainer.networks.parameters(), other.trainer.networks.parameters(), strict=True
        ):
            torch.testing.assert_close(weight, expected, atol=2e-4, rtol=1e-3)


def test_a_stop_saves_all_of_them(make_examples):
    watches = [Watch(stop_after=3), Watch(), Watch()]
    trainings = make_examples(watches)
    run(trainings, steps(8))
    assert [training.trainer.step for training in trainings] == [3, 3, 3]
    assert [len(watch.saves) for watch in watches] == [1, 1, 1]


def test_time_together_counts_for_each_as_its_share(make_examples):
    watches = [Watch() for _ in range(2)]
    began = time.monotonic()
    run(make_examples(watches), Schedule(num_steps=None, seconds=0.5, decay_share=0.25))
    took = time.monotonic() - began
    for watch in watches:
        assert 0.5 <= watch.saves[-1] <= took / 2
