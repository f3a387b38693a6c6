"""The studies: complete, with all that is known of each number, and still true."""

import doctest
import subprocess
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from bnlib.lab.models import mlp
from book.studies import FAMILIES, base, data, effects, judge, picture, results
from book.studies.quantities import COURSES, QUANTITIES, Course, Quantity
from tools import course, studies

STORED = [row for rows in results.read_all().values() for row in rows]
UNITS = studies.units()
CLAIMS = "N3 I1 I2 I3 I4 I5 W1 W2 W3 W4 W5 W6 W7 W8 W9 W10 P1 P2 P3 P5 P6"
CLAIMS = set(f"{CLAIMS} R1 R2 R3 R5 R6 S1 T1 G1 G2".split())


# --- what is stored -------------------------------------------------------------------


def test_every_setting_of_every_script_is_stored():
    assert [str(unit) for unit in studies.missing(UNITS)] == []


def test_nothing_is_stored_that_no_script_measures():
    known = {unit.key for unit in UNITS}
    assert {row.unit for row in STORED} - known == set()


def test_each_setting_has_one_number_for_each_of_its_seeds():
    seeds = {unit.key: unit.setting.seeds for unit in UNITS}
    counts = Counter((row.unit, row.quantity, row.at) for row in STORED)
    wrong = {key: n for key, n in counts.items() if n != seeds.get(key[0], n)}
    assert wrong == {}
    twice = Counter((row.unit, row.quantity, row.at, row.seed) for row in STORED)
    assert max(twice.values()) == 1
    assert min(seeds.values()) >= 3


def test_a_setting_whose_runs_take_seconds_has_eight_seeds():
    """Three seeds where one of them takes more than ten CPU seconds, five from four."""
    seconds = {row.unit: row.cpu_seconds for row in STORED}
    for unit in UNITS:
        each = seconds[unit.key] / unit.setting.seeds
        least = 3 if each > 10 else 5 if each > 1.5 else 8
        assert unit.setting.seeds >= min(least, 8), f"{unit}: {each:.1f} s a seed"


def test_each_row_says_what_it_was_measured_with():
    names = {"python", "numpy", "torch", "bnlib"}
    for row in STORED:
        parts = {part.partition("-")[0] for part in row.versions.split()}
        assert parts == names and row.data and row.net and row.optimizer
        assert row.cpu_seconds > 0


def test_the_claims_that_carry_most_are_measured_in_two_settings_or_more():
    where = {}
    for row in STORED:
        if row.quantity in QUANTITIES and QUANTITIES[row.quantity].main:
            where.setdefault(row.claim, set()).add((row.data, row.net))
    assert set(where) == CLAIMS
    for claim, pairs in where.items():
        differ = [a for a in pairs for b in pairs if a[0] != b[0] and a[1] != b[1]]
        assert differ, f"{claim} is measured in {pairs}"
    fashion = {claim for claim, pairs in where.items() if "Fashion" in str(pairs)}
    assert len(fashion) >= 15


def test_each_quantity_is_stored_and_stands_beside_a_line_of_its_claim():
    stored, lines = {row.quantity for row in STORED}, studies.lines()
    for key, how in QUANTITIES.items():
        line = how.line or key
        assert key in stored and line in lines, key
        assert line.partition(".")[0] == key.partition(".")[0]
    for name, how in COURSES.items():
        assert set(how.series.values()) <= stored
        assert {q.partition(".")[0] for q in how.series.values()} == {name}


def test_no_effect_lies_on_the_other_side_of_the_bound():
    lines = studies.lines()
    for key, how in QUANTITIES.items():
        line = lines[how.line or key]
        op = how.op or line.op
        bound = line.bound if how.bound is None else how.bound
        assert op[0] in "<>~", key
        if op[0] != "~":
            assert judge.state(how, [how.neutral], line) != "holds", key
            beyond = how.neutral + (1 if op[0] == "<" else -1)
            assert judge.state(how, [beyond], line) == "reversed", key
            assert bound != how.neutral


def test_the_page_gives_a_reason_and_the_word_of_the_table_for_each_claim():
    assert studies.main(["--page", "--check"]) == 0


def test_a_sample_of_this_commit_is_measured_again():
    asked = ["git", "-C", str(studies.ROOT), "rev-parse", "HEAD"]
    done = subprocess.run(asked, capture_output=True, text=True)
    # Without git, as in a downloaded archive, one sample serves for all.
    unit = studies.sample(done.stdout.strip() or "no commit")
    assert studies.compare(unit) == []


@pytest.mark.parametrize("module", [base, data, judge, picture, results])
def test_the_examples_of_the_shared_parts_run(module):
    done = doctest.testmod(module)
    assert done.attempted > 0 and done.failed == 0


# --- the runner -----------------------------------------------------------------------


def row(quantity="W6.std", seed=0, value=1.0, setting="one", **other):
    known = {
        "claim": quantity.partition(".")[0],
        "quantity": quantity,
        "setting": setting,
        "data": "digits, 10 + 5",
        "net": "MLP",
        "optimizer": "SGD",
        "steps": 3,
        "seed": seed,
        "at": None,
        "value": value,
        "cpu_seconds": 1.0,
        "versions": "python-3",
        "script": "effects.py:speed",
        "digest": "00000000",
    }
    return results.Row(**known | other)


def unit(seeds=2, name="one"):
    setting = base.Setting(name, "digits", "MLP", "SGD", 3, seeds, {"set": "digits"})
    return studies.Unit("effects", "speed", setting)


def test_rows_come_back_as_they_were_stored(tmp_path):
    rows = [row(seed=1, value=0.1234567), row(seed=0, at=10), row(value=float("nan"))]
    results.write("effects", rows, tmp_path)
    again = results.read("effects", tmp_path)
    assert [r.at for r in again] == [None, None, 10]
    assert again[1].value == 0.123457 and np.isnan(again[0].value)
    assert [p.name for p in tmp_path.iterdir()] == ["effects.csv"]


def test_a_stored_setting_is_replaced_and_the_others_stay(tmp_path):
    one, other = unit(), unit(name="other")
    stamp = {"script": "effects.py:speed", "digest": one.setting.digest}
    studies.store(one, [row(seed=s, **stamp) for s in range(2)], tmp_path)
    studies.store(other, [row(setting="other", **stamp)], tmp_path)
    studies.store(one, [row(seed=s, value=9.0, **stamp) for s in range(3)], tmp_path)
    stored = results.read("effects", tmp_path)
    assert [r.value for r in stored if r.setting == "one"] == [9.0] * 3
    assert [r.value for r in stored if r.setting == "other"] == [1.0]


def test_what_was_measured_before_does_not_change_a_number(monkeypatch):
    def speed(setting):
        yield from base.found("W6.std", torch.rand(setting.seeds))

    monkeypatch.setattr(effects, "speed", base.study(unit().setting)(speed))
    numbers = [[r.value for r in studies.measure(unit())] for _ in range(2)]
    assert numbers[0] == numbers[1] and len(set(numbers[0])) == 2


def test_what_is_stored_is_not_measured_again_unless_its_row_changes(tmp_path):
    one = unit()
    assert studies.missing([one], tmp_path) == [one]
    studies.store(one, [row(digest=one.setting.digest)], tmp_path)
    assert studies.missing([one, unit(seeds=3)], tmp_path) == [unit(seeds=3)]


def test_a_failed_write_leaves_the_old_file(tmp_path):
    results.write("effects", [row()], tmp_path)
    before = (tmp_path / "effects.csv").read_text("utf-8")
    with pytest.raises(AttributeError):
        results.write("effects", [row(), "no row"], tmp_path)
    assert (tmp_path / "effects.csv").read_text("utf-8") == before


def test_an_interrupted_training_is_no_measurement():
    parts = data.per_seed("digits", [0], train=64, test=20, flat=True)
    drawn = tuple(torch.tensor(part) for part in parts)

    def interrupt(step, nets):
        raise KeyboardInterrupt

    def make(seed):
        return mlp((64, 4, 10), seed=seed, dtype=torch.float32)

    with pytest.raises(KeyboardInterrupt):
        base.sweep([make], [0.1], drawn, steps=5, watch=interrupt)


def test_samples_differ_between_commits_and_need_no_download(monkeypatch, tmp_path):
    monkeypatch.setenv("STUDIES_DATA", str(tmp_path))
    drawn = {str(studies.sample(commit)) for commit in "abcdefghij"}
    assert len(drawn) > 1
    for commit in "abc":
        names = studies.sample(commit).setting.sets
        assert set(names) <= set(data.HERE)


def test_a_number_outside_of_the_stored_spread_is_named(monkeypatch, tmp_path):
    one = unit()
    digest = one.setting.digest
    stored = [row(seed=s, value=1.0 + s, digest=digest) for s in range(2)]
    studies.store(one, stored, tmp_path)
    for value, count in ((2.9, 0), (3.5, 1), (float("nan"), 1)):
        again = [row(seed=0, value=value)]
        monkeypatch.setattr(studies, "measure", lambda unit, again=again: again)
        assert len(studies.compare(one, folder=tmp_path)) == count


def test_two_seeds_at_the_edge_of_a_grid_give_way_to_all(monkeypatch, tmp_path):
    one, asked = unit(seeds=3), []
    stored = [row(seed=s, digest=one.setting.digest) for s in range(3)]
    studies.store(one, stored, tmp_path)

    def measure(unit):
        asked.append(unit.setting.seeds)
        if unit.setting.seeds < 3:
            raise base.EdgeOfGrid("the best of a grid must lie inside it")
        return stored

    monkeypatch.setattr(studies, "measure", measure)
    assert studies.compare(one, folder=tmp_path) == [] and asked == [2, 3]


def test_an_unknown_family_is_refused(capsys):
    with pytest.raises(SystemExit):
        studies.main(["nothing"])
    assert "must be one of scaling, inference" in capsys.readouterr().err


def test_a_page_without_a_reason_is_refused():
    text = "| **W6** | | because |\n"
    filled = studies.filled(text, {"W6": "smaller"})
    assert filled == "| **W6** | smaller | because |\n"
    with pytest.raises(ValueError, match="must give a reason for each claim"):
        studies.filled(text, {"W6": "smaller", "W7": "reversed"})


# --- the data -------------------------------------------------------------------------


def test_a_missing_set_is_named_with_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("STUDIES_DATA", str(tmp_path))
    assert not data.available("fashion")
    with pytest.raises(FileNotFoundError, match=r"run python -m book\.studies\.data"):
        data.load("fashion")


def test_images_are_averaged_to_the_size_asked_for(monkeypatch, tmp_path):
    monkeypatch.setenv("STUDIES_DATA", str(tmp_path))
    x = np.random.default_rng(7).integers(0, 256, (3, 28, 28)).astype(np.uint8)
    np.savez(tmp_path / "mnist.npz", x=x, y=np.arange(3))
    images, classes = data.load("mnist", size=14)
    assert images.shape == (3, 1, 14, 14) and classes.dtype == np.int64
    np.testing.assert_allclose(
        images[2, 0, 1, 0], x[2, 2:4, :2].mean() / 255, rtol=1e-6
    )


@pytest.mark.parametrize(
    "name, size, words",
    [("cifar", None, "name must be one of"), ("digits", 14, "size must be 8")],
)
def test_an_unknown_set_or_size_is_refused(name, size, words):
    with pytest.raises(ValueError, match=words):
        data.load(name, size=size)


def test_each_seed_draws_its_own_examples_and_standardizes_by_its_own_training_set():
    x, y, x_test, y_test = data.per_seed("digits", [0, 1], train=400, test=100)
    assert x.shape == (2, 400, 1, 8, 8) and y_test.shape == (2, 100)
    assert not np.array_equal(y[0], y[1])
    flat = x[1].reshape(400, -1).astype(float)
    alive = flat.std(0) > 0
    np.testing.assert_allclose(flat.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(flat[:, alive].std(0).max(), 1, atol=1e-4)
    again = data.per_seed("digits", [1], train=400, test=100)
    np.testing.assert_array_equal(again[0][0], x[1])


def test_more_examples_than_there_are_is_refused():
    with pytest.raises(ValueError, match=r"train \+ test must be at most 1797"):
        data.per_seed("digits", [0], train=1700, test=100)


def test_a_file_with_another_checksum_is_refused():
    with pytest.raises(RuntimeError, match="must have the checksum 000000000000"):
        data._check_sum("file", b"content", "0" * 64)


# --- settings and verdicts ------------------------------------------------------------


def test_two_settings_of_one_name_are_refused():
    one = unit().setting
    with pytest.raises(ValueError, match="must have different names"):
        base.study(one, one)


def test_the_largest_rate_is_interpolated_and_must_lie_inside():
    rates = [0.1, 1.0, 10.0]
    assert base.largest(rates, np.array([90.0, 70.0, 50.0]), 60) == pytest.approx(
        10**0.5
    )
    assert np.isnan(base.largest(rates, np.array([9.0, 8.0, 7.0]), 60))
    with pytest.raises(base.EdgeOfGrid, match="extend the grid upwards"):
        base.largest(rates, np.array([90.0, 80.0, 70.0]), 60)


LINE = SimpleNamespace(value=6.0, low=5.0, high=7.0, op=">", bound=4.0, tol=None)


@pytest.mark.parametrize(
    "op, bound, neutral, value, wanted",
    [
        (">", 4, 1, 4.1, "holds"),
        (">", 4, 1, 4, "smaller"),
        (">=", 4, 1, 4, "holds"),
        (">", 4, 1, 0.9, "reversed"),
        ("<", 4, 9, 3, "holds"),
        ("<", 4, 9, 5, "smaller"),
        ("<", 4, 9, 10, "reversed"),
        (">", 4, 1, float("nan"), "smaller"),
    ],
)
def test_a_number_holds_is_smaller_or_reversed(op, bound, neutral, value, wanted):
    how = Quantity("a number", neutral, op, bound)
    assert judge.state(how, [value] * 4, LINE) == wanted


def test_an_effect_that_three_seeds_of_four_do_not_turn_round_is_not_reversed():
    how = Quantity("points", 0)
    assert judge.state(how, [-1.0, -2.0, -1.0, 1.0], LINE) == "reversed"
    assert judge.state(how, [-1.0, -2.0, 0.5, 1.0], LINE) == "smaller"


def test_a_number_that_should_equal_another_may_be_off_by_the_tolerance():
    line = SimpleNamespace(op="~", bound=0.5, tol=0.1)
    how = Quantity("a share", 0)
    assert [judge.state(how, [v], line) for v in (0.55, 0.65)] == ["holds", "smaller"]


@pytest.mark.parametrize(
    "values, wanted",
    [
        ((5, 5), "holds there too"),
        ((5, 5, 3), "holds there too"),
        ((5, 3), "smaller"),
        ((5, 3, 3), "smaller"),
        ((5, 5, 5, 0.5), "reversed"),
    ],
)
def test_two_settings_of_three_decide_on_a_number(values, wanted):
    rows = [
        row(setting=str(k), value=float(value), seed=s)
        for k, value in enumerate(values)
        for s in range(3)
    ]
    assert judge.of_claims(rows, {"W6.std": LINE}) == {"W6": wanted}


def test_the_worst_number_decides_on_a_claim():
    rows = [row(value=5.0), row("W6.adam", value=3.0)]
    assert judge.of_claims(rows, {"W6.std": LINE, "W6.adam": LINE}) == {"W6": "smaller"}


# --- the pictures ---------------------------------------------------------------------


def panel(values=(3.0, 4.5, 9.0), verdict="holds"):
    return judge.Panel(
        "W6.std", "one", "MNIST, 10", "MLP & co", "SGD", "s", 3, values, verdict
    )


def test_a_strip_has_a_dot_for_each_seed_and_says_its_words():
    drawn = picture.strips(Quantity("a < ratio", 1, log=True), LINE, [panel()])
    assert drawn.count("<circle") == 3 and 'role="img"' in drawn
    assert "MNIST, MLP &amp; co" in drawn and "4.5 holds" in drawn
    assert (
        "In the chapter 6.0. MNIST, 10, MLP &amp; co: 4.5, 3.0 to 9.0 over 3" in drawn
    )
    assert "far-chapter" in drawn and "color" not in drawn


def test_a_chapter_that_says_yes_or_no_has_no_diamond():
    drawn = picture.strips(Quantity("a ratio", 1, scale=0), LINE, [panel()])
    assert "far-chapter" not in drawn and "In the chapter" not in drawn


def test_a_number_that_overflowed_is_told_and_not_drawn():
    values = (1.0, 2.0, float("inf"))
    drawn = picture.strips(Quantity("a ratio", 1), LINE, [panel(values)])
    assert drawn.count("<circle") == 2 and "1.0 to none over 3 seeds" in drawn


def test_dots_stand_in_the_order_of_their_numbers_within_the_picture():
    for log in (False, True):
        place = picture.Scale([0.5, 2.0, 40.0], log)
        places = [place(v) for v in (0.5, 2.0, 40.0)]
        assert 0 < places[0] < places[1] < places[2] < picture.WIDTH
        assert 2 <= len(place.ticks()) <= 6


def test_a_large_number_at_the_axis_is_a_power_of_ten():
    assert [picture._tick(v) for v in (1e7, 1000.0, 0.1, -10)] == [
        "10⁷",
        "1000",
        "0.1",
        "−10",
    ]


def test_a_course_has_a_line_for_each_series_in_each_setting():
    how = Course("accuracy", "steps", {"plain": "W6.a", "BN": "W6.b"})
    rows = [
        row(quantity, seed=s, at=at, value=10.0 * at + s, data=name)
        for quantity in ("W6.a", "W6.b")
        for name in ("digits", "MNIST")
        for at in (1, 10, 100)
        for s in range(3)
    ]
    drawn = picture.curves(how, rows)
    assert drawn.count('<path d="M') == 4 and "BN: 11 at 1, 1001 at 100" in drawn
    assert picture.curves(how, [row()]) == ""


def test_each_family_is_a_script_of_its_own_with_a_page_of_the_book():
    files = [chapter.file for chapter in course.chapters()]
    assert len(FAMILIES) == len(set(FAMILIES)) == 9
    for family in FAMILIES:
        name = family.replace("_", "-")
        assert any(file.endswith(name) for file in files), family
