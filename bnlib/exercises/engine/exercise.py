"""What an exercise is made of: its cases, its misconceptions, its hints."""

import ast
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

from bnlib.exercises.engine.compare import quietly


class Unfit(Exception):
    """Raised by a ``drive`` whose answer cannot be tried; its text is the verdict."""


@dataclass(frozen=True)
class Case:
    """One call of the learner's function.

    Parameters
    ----------
    args : tuple
        Positional arguments. They are copied before every call.
    note : str
        What this case is, in words: ``"x of shape (6, 4), eps=0.1"``.

    Examples
    --------
    >>> case = Case((3.0, 4.0), "two numbers")
    >>> case.args, case.note
    ((3.0, 4.0), 'two numbers')
    """

    args: tuple
    note: str


@dataclass(frozen=True)
class Misconception:
    """A typical error, known by the results it leads to.

    Parameters
    ----------
    name : str
        A few words, printed after "This looks like a known misconception:".
    why : str
        At most 300 characters that say why it is one, ending in a full stop.
    wrong : callable, optional
        ``wrong(*args)`` makes the error. A learner who gets the same results on all
        cases has made it too.
    recognize : callable, optional
        ``recognize(result, *args) -> bool``, for errors that have no single result.
        It must be true on all cases. Give either this or ``wrong``.
    weak : bool, default=False
        Whether other errors lead to the same results. The verdict then speaks of
        possible causes.

    Raises
    ------
    ValueError
        If both or neither of ``wrong`` and ``recognize`` are given.

    Examples
    --------
    >>> halved = Misconception("a half", "It is no half.", wrong=lambda a: a / 2)
    >>> halved.wrong(3.0), halved.weak
    (1.5, False)
    """

    name: str
    why: str
    wrong: Callable | None = None
    recognize: Callable | None = None
    weak: bool = False

    def __post_init__(self):  # noqa: D105
        if (self.wrong is None) == (self.recognize is None):
            raise ValueError(
                f"misconception {self.name!r} needs one of wrong= and recognize=; "
                "give exactly one"
            )


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """A task, how its answer is judged, and what helps a learner who is stuck.

    Parameters
    ----------
    number : str
        Chapter and position, ``"2.1"``.
    name : str
        Name that ``check`` and ``hint`` take; unique in the book.
    title : str
        Heading of the exercise in the chapter.
    signature : str
        The function to write, ``"batch_norm(x, gamma, beta, eps)"``. Arguments are
        passed by position, in this order.
    cases : callable
        ``cases() -> list of Case``. The same list each time (seeded generators).
    reference : callable, optional
        A right answer. Results must agree with its results.
    accept : callable, optional
        ``accept(result, *args) -> None or str`` judges a property instead; the string
        is a sentence that says what is wrong. If ``reference`` is given as well,
        results must have the types and shapes of its results, with other values.
    misconceptions : tuple of Misconception
        The more specific first: the first that fits is named.
    hints : tuple of str
        Two or three plain sentences each; the last one almost gives it away.
    rtol, atol : float
        A value is right if it is within ``atol + rtol * abs(expected)``.
    outputs : tuple of str
        Names of the outputs, if there are several: ``("d_x", "d_gamma")``.
    terms : callable, optional
        ``terms(*args) -> list of Terms`` names the terms of the outputs, so that a
        verdict can say which of them entered with a wrong factor.
    in_place : tuple of str
        Arguments that the function may change, because the task says so.
    why : str
        One or two sentences, printed after a right answer: why it is right.
    another : str
        Another way to write the answer, one expression of the arguments and of ``np``
        and ``torch``, in lines of at most 84 characters.
    drive : callable, optional
        ``drive(answer, *args)`` does what a case asks for with the learner's function
        or class, and returns what is judged; without it the function is called.
    given : tuple of str
        Names of what a case holds, if ``drive`` is given.

    Raises
    ------
    ValueError
        If neither ``reference`` nor ``accept`` is given.

    Examples
    --------
    >>> task = Exercise(
    ...     number="2.9",
    ...     name="mean-of-two",
    ...     title="Mean of two numbers",
    ...     signature="mean(a, b)",
    ...     cases=lambda: [Case((3.0, 4.0), "two numbers")],
    ...     reference=lambda a, b: (a + b) / 2,
    ... )
    >>> task.function, task.chapter, task.arguments
    ('mean', '2', ('a', 'b'))
    """

    number: str
    name: str
    title: str
    signature: str
    cases: Callable[[], list]
    reference: Callable | None = None
    accept: Callable | None = None
    misconceptions: tuple = ()
    hints: tuple = ()
    rtol: float = 1e-6
    atol: float = 1e-9
    outputs: tuple = ()
    terms: Callable | None = None
    in_place: tuple = ()
    why: str = ""
    another: str = ""
    drive: Callable | None = None
    given: tuple = ()

    def __post_init__(self):  # noqa: D105
        if self.reference is None and self.accept is None:
            raise ValueError(
                f"exercise {self.name!r} cannot be judged; give reference= or accept="
            )

    @property
    def function(self):
        """Name of the function that the learner writes."""
        return self.signature.partition("(")[0]

    @property
    def chapter(self):
        """Number of the chapter, as text, or ``"P"`` for the project."""
        return self.number.partition(".")[0]

    @property
    def inputs(self):
        """Names of what a case holds, in order."""
        return self.given if self.drive else self.arguments

    def run(self, answer):
        """Return the function of a case's arguments that calls this answer.

        Parameters
        ----------
        answer : callable
            The learner's, the reference, or that of a misconception.

        Returns
        -------
        callable
            The answer itself unless the exercise has a ``drive``.
        """
        return partial(self.drive, answer) if self.drive else answer

    def result(self, known, index):
        """Return what one of the course's own functions makes of a case.

        It is computed once, for the cases are the same each time: an exercise is
        checked many times, and some of its cases train a net. Nobody may change it.

        Parameters
        ----------
        known : callable
            The reference, or the function of a misconception.
        index : int
            Number of the case, from 0.

        Returns
        -------
        object
            The result, as ``snapshot`` copies it. What ``known`` raises is raised.
        """
        if (known, index) not in self._results:
            args = self.cases()[index].args
            self._results[known, index] = quietly(self.run(known), args)
        return self._results[known, index]

    @cached_property
    def _results(self):
        return {}

    @property
    def arguments(self):
        """Names of its arguments, in order."""
        definition = ast.parse(f"def {self.signature}: ...").body[0].args
        return tuple(arg.arg for arg in definition.posonlyargs + definition.args)
