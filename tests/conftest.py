"""What holds for all tests."""

import gc
import os

# Exercises that tests solve are not the developer's own; kernels inherit this.
os.environ["BNLIB_PROGRESS"] = "off"

# These start processes: most of the seconds stand in few tests.
SLOW = (
    "test_colab.py",
    "test_nbval_plus.py",
    "test_setup_cell.py",
    "test_sync.py",
    "test_launch.py",
    "test_environment.py",
    "test_teacher.py",
)


def pytest_collection_modifyitems(items):
    """Begin with the slow files.

    A worker of pytest-xdist that has nothing left takes tests from the end of another
    one's list. So small tests stand there, and what a slow file sets up for all its
    tests is set up once.
    """
    items.sort(key=lambda item: item.path.name not in SLOW)


def pytest_collection_finish():
    """Leave to the garbage collector only what the tests make: the rest stays."""
    gc.collect()
    gc.freeze()
