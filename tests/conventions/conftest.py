"""Leave this folder to ``make conventions``: its libraries are not installed elsewhere.

Which environment it is, the configuration says; so nothing here is skipped, it is
either run or not collected.
"""

import os
from pathlib import Path

# Keras chooses its backend when it is imported.
os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("JAX_PLATFORMS", "cpu")


def pytest_ignore_collect(config):
    """Ignore everything here unless the run was started with our own settings."""
    return config.inipath != Path(__file__).with_name("conventions.ini") or None
