"""What holds for all tests."""

import os

# Exercises that tests solve are not the developer's own; kernels inherit this.
os.environ["BNLIB_PROGRESS"] = "off"
