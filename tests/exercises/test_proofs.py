"""Every exercise of the book proves itself: see proof.py.

A test takes all answers of a kind to an exercise: as a test each would cost more than
to judge it.
"""

from itertools import permutations

import pytest
from proof import (
    GARBAGE,
    LOOP_LIMIT,
    MUTANTS,
    RIGHT,
    alike,
    all_changes,
    all_mutants,
    arrays,
    changes_input,
    names_in,
    nan_instead,
    recognizer_accepts,
    right_answers,
    verdict,
)

from bnlib.exercises import case, check, get, hint, names
from bnlib.exercises.engine.compare import quietly

every_exercise = pytest.mark.parametrize("name", names())


@every_exercise
def test_right_answers_pass(name):
    for fn in right_answers(name):
        judged = verdict(name, fn)
        assert judged.status == "right", (fn, judged.text)


@every_exercise
def test_starter_is_not_attempted(name):
    assert verdict(name, lambda *args: ...).status == "not attempted"


@every_exercise
def test_each_misconception_is_named(name):
    for known in get(name).misconceptions:
        if known.wrong:
            judged = verdict(name, known.wrong)
            assert judged.misconception == known.name, judged.text


@every_exercise
def test_mutants_are_rejected_each_with_its_own_message(name):
    why = {known.name: known.why for known in get(name).misconceptions}
    for misconception, fns in MUTANTS.get(name, {}).items():
        for fn in fns:
            judged = verdict(name, fn)
            assert judged.status == "not yet", (misconception, fn)
            assert names_in(judged.text, get(name)) == {misconception}, judged.text
            said = " ".join(judged.text.split())
            assert " ".join(why[misconception].split()) in said


@every_exercise
def test_misconceptions_can_be_told_apart(name):
    exercise = get(name)
    pairs = [(a, b) for a, b in permutations(exercise.misconceptions, 2) if b.wrong]
    same = [(a.name, b.name) for a, b in pairs if a.wrong and alike(exercise, a, b)]
    same += [
        (a.name, b.name)
        for a, b in pairs
        if a.recognize and recognizer_accepts(exercise, a, b)
    ]
    assert not same


@every_exercise
def test_right_answer_shows_no_misconception(name):
    exercise = get(name)
    for known in exercise.misconceptions:
        if known.recognize:
            judged = [
                quietly(
                    known.recognize, (quietly(exercise.run(fn), case.args), *case.args)
                )
                for fn in right_answers(name)
                for case in exercise.cases()
            ]
            assert not all(judged), known.name


@every_exercise
def test_answers_were_written_by_hand(name):
    exercise = get(name)
    mutants = MUTANTS.get(name, {})
    assert len(RIGHT.get(name, [])) >= 1
    # Every misconception has its mutant, and no mutant is of an unknown one.
    assert set(mutants) == {known.name for known in exercise.misconceptions}
    assert sum(map(len, mutants.values())) >= 3


@every_exercise
def test_cases_are_the_same_each_time(name):
    first, second = get(name).cases(), get(name).cases()
    assert [case.note for case in first] == [case.note for case in second]
    for one, other in zip(first, second, strict=True):
        for a, b in zip(arrays(one.args), arrays(other.args), strict=True):
            assert a.tobytes() == b.tobytes()


@every_exercise
def test_line_that_repeats_a_case_can_be_run(name):
    text = verdict(name, nan_instead(right_answers(name)[0])).text
    code = text.splitlines()[-1].partition(": ")[2]
    exercise, given = get(name), []
    if exercise.drive:
        names = {exercise.function: right_answers(name)[0]}
        exec(code, names)
        assert names["run"] is exercise.drive
        assert len(names["args"]) == len(exercise.inputs)
        return
    exec(code, {exercise.function: lambda *args: given.append(args)})
    assert len(given[0]) == len(exercise.arguments)
    assert len(case(name, len(exercise.cases()))) == len(given[0])


@every_exercise
def test_every_output_has_a_name(name):
    exercise = get(name)
    if exercise.reference and not exercise.accept:
        want = quietly(exercise.run(exercise.reference), exercise.cases()[0].args)
        if isinstance(want, tuple) and not hasattr(want, "_fields"):
            assert len(exercise.outputs) == len(set(exercise.outputs)) == len(want)


# An endless loop is the business of the engine, and each waits for its time limit:
# one exercise of each chapter stands for all.
FIRST = {get(name).number.split(".")[0]: name for name in reversed(names())}


@pytest.mark.parametrize("name", FIRST.values())
def test_an_endless_loop_gives_a_sentence(name, capfd):
    judge_garbage(name, "loops", capfd)


@every_exercise
def test_garbage_gives_a_sentence(name, capfd):
    for kind in GARBAGE.keys() - {"loops"}:
        judge_garbage(name, kind, capfd)


def judge_garbage(name, kind, capfd):
    fn, word = GARBAGE[kind]
    check(name, fn, time_limit=LOOP_LIMIT if kind == "loops" else 10.0)
    out, err = capfd.readouterr()
    assert out.startswith(f"✘ Exercise {get(name).number} · not yet.\n"), kind
    assert word in " ".join(out.split())
    *_, before, last = out.splitlines()
    if "case(" in last:
        assert last.endswith(")")
        last = before
    assert last[-1] in ".?]" or kind in ("raises", "exits", "recurses")
    assert max(map(len, out.splitlines())) <= 88
    assert not err


@every_exercise
def test_nan_gives_a_sentence(name):
    judged = verdict(name, nan_instead(right_answers(name)[0]))
    assert judged.status == "not yet"


@every_exercise
def test_changed_input_gives_a_sentence(name):
    exercise, right = get(name), right_answers(name)[0]
    for position, change in all_changes(name):
        judged = verdict(name, changes_input(right, position, change))
        argument = exercise.arguments[position]
        seen = f"Your function changes its argument {argument}." in judged.text
        assert seen == (argument not in exercise.in_place), change


@every_exercise
def test_untouched_is_said_where_it_was_compared(name):
    exercise, judged = get(name), verdict(name, right_answers(name)[0])
    kept = {exercise.arguments[position] for position, _ in all_changes(name)}
    compared = kept - set(exercise.in_place)
    assert ("inputs untouched" in judged.text) == bool(compared)


@every_exercise
def test_texts_are_short_and_plain(name):
    whys = [known.why for known in get(name).misconceptions]
    for text in (*get(name).hints, *whys):
        assert text.endswith("."), text
        assert len(text) <= 300, text
        assert "$" not in text and "\\" not in text, text


@every_exercise
def test_there_are_two_or_three_hints(name, capsys):
    assert len(get(name).hints) in (2, 3)
    hint(name)
    assert "Hint " in capsys.readouterr().out


@every_exercise
def test_no_name_is_part_of_another(name):
    exercise = get(name)
    found = [known.name for known in exercise.misconceptions]
    assert not [(a, b) for a, b in permutations(found, 2) if a in b]
    # A reason that quotes another misconception would name two errors at once.
    for known in exercise.misconceptions:
        assert names_in(known.why, exercise) <= {known.name}


def test_answers_belong_to_exercises():
    assert set(RIGHT) | set(MUTANTS) <= set(names())


def test_book_has_twelve_exercises_and_thirty_six_mutants():
    spine = [name for name in names() if get(name).number.split(".")[0] in "123"]
    assert len(spine) >= 12
    assert len([m for m in all_mutants() if m[0] in spine]) >= 36
