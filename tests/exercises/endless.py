"""Answers that never end, for the time limit; it needs NumPy only, so any Python can."""

import itertools
import time

import numpy as np


def spin_forever():
    while True:
        pass


def swallow_exceptions():
    while True:
        try:
            np.ones(3).sum()
        except Exception:
            pass


def swallow_everything():
    while True:
        try:
            time.sleep(0.001)
        except:  # noqa: E722
            time.sleep(0)


def swallow_twice():
    while True:
        try:
            try:
                time.sleep(0.001)
            except BaseException:
                continue
        except BaseException:
            continue


def swallow_in_a_helper():
    def helper():
        try:
            spin_forever()
        except:  # noqa: E722
            return 0

    while True:
        helper()


def refuse_to_end():
    try:
        spin_forever()
    finally:
        spin_forever()


def call_again_whatever_happens():
    try:
        call_again_whatever_happens()
    except BaseException:
        call_again_whatever_happens()


def fill_a_list():
    return [i for i in itertools.count() if i < 0]


def sum_a_generator():
    return sum(1 for _ in itertools.count())


def sum_what_another_one_yields():
    def zeros():
        yield from itertools.repeat(0)

    return sum(zeros())


def map_for_ever():
    return sum(map(lambda i: 0, itertools.count()))


def multiply_matrices():
    x = np.ones((50, 50))
    while True:
        x = np.tanh(x @ x / 50)


def fibonacci(n=80):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


PATIENT = (
    spin_forever,
    fill_a_list,
    sum_a_generator,
    map_for_ever,
    multiply_matrices,
    fibonacci,
)
# These catch the exception that ends them.
STUBBORN = (
    swallow_exceptions,
    swallow_everything,
    swallow_twice,
    swallow_in_a_helper,
    refuse_to_end,
)
# Signals do not end these, the clock does.
CLOCKED = (sum_what_another_one_yields, call_again_whatever_happens)
