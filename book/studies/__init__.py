"""The claims of the chapters, measured once more on other data and other nets.

One script for each family of claims (``effects.py``, ``why.py``, ...), each with a
table of settings at its head. ``make studies`` runs what has not been measured yet and
stores it in ``results/``, one CSV file for each family; the page *How far does it
hold?* is made from these files when the site is built.

``quantities`` and ``results`` need nothing but the standard library, since the site is
built without PyTorch.
"""

# The families in the order of the chapters; each is a module of this package.
FAMILIES = (
    "scaling",
    "inference",
    "effects",
    "why",
    "placement",
    "layer_group",
    "devices",
    "new_data",
    "pruning",
)
