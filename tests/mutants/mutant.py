"""A planted bug."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One bug that somebody could write, and the tests that have to notice it.

    Parameters
    ----------
    name : str
        Short and unique, the room's letter and a number: ``"N6"``.
    file : str
        Path from the root of the repository.
    old : str
        Text that occurs exactly once in the file.
    new : str
        What stands there instead.
    tests : str
        Test files, or other arguments of pytest, with spaces between them.
    """

    name: str
    file: str
    old: str
    new: str
    tests: str
