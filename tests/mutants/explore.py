"""Bugs of the explorables: a formula, a picture, what a notebook stores, the page."""

from tests.mutants.mutant import Mutant

ROOM = "bnlib/lab/explore/"
SITE = "book/_ext/coursesite/explore.py"
TESTS = "tests/lab/test_explore.py"
PAGES = "tests/book/test_explorable_pages.py"
LAYER = f"{TESTS}::test_the_shared_layer_is_batch_norm"
FRESH = f"{TESTS}::test_the_stored_pictures_are_fresh"


def bug(number, file, old, new, name):
    """Plant one in a formula; the numbers of an explorable should differ."""
    test = f"{TESTS}::test_the_numbers_are_those_of_bnlib[{name}]"
    return Mutant(f"E{number}", f"{ROOM}{file}", old, new, test)


MUTANTS = [
    Mutant("E1", f"{ROOM}norms.mjs", "gamma * invStd * (", "invStd * (", LAYER),
    bug(2, "norms.mjs", "dot(dY, xHat) / dY.length;", "dot(dY, xHat);", "push"),
    bug(3, "norms.mjs", "Math.sqrt(spread + eps)", "(Math.sqrt(spread) + eps)", "push"),
    bug(4, "push.mjs", "(stretch / 100) * (value - center)", "value - center", "push"),
    bug(5, "average.mjs", "batch.var * (count / (count - 1))", "batch.var", "average"),
    bug(6, "average.mjs", "-Math.log1p(-fresh)", "fresh", "average"),
    bug(7, "average.mjs", ": 1 - MOMENTA[momentum]", ": MOMENTA[momentum]", "average"),
    bug(8, "cells.mjs", "instance: [n, c],", "instance: [c],", "cells"),
    bug(9, "cells.mjs", 'beta: state.norm === "rms" ? 0 :', "beta:", "cells"),
    bug(10, "graph.mjs", "2 * xCentered[i] * dS", "xCentered[i] * dS", "graph"),
    bug(11, "knobs.mjs", "slope(z) < steepest / 10", "slope(z) < 0.1", "knobs"),
    bug(12, "prune.mjs", "Math.ceil(FLOOR", "Math.floor(FLOOR", "prune"),
    bug(13, "prune.mjs", "weight * POSITIONS[i]", "weight * POSITIONS[0]", "prune"),
    bug(
        14, "batches.mjs", "sorted: sorted[index],", "sorted: mixed[index],", "batches"
    ),
    Mutant("E15", f"{ROOM}push.mjs", "198 - value * 15", "198 - value * 14", FRESH),
    Mutant("E16", f"{ROOM}picture.css", "font-size: 12px", "font-size: 13px", FRESH),
    Mutant("E17", f"{ROOM}__init__.py", '!= "still"', '== "alive"', TESTS),
    Mutant(
        "E18", f"{ROOM}bundle.py", "for one in modules(other)", "for one in []", TESTS
    ),
    Mutant("E19", "tools/explore.py", 'named == {"bn-svg"}', "named", TESTS),
    Mutant("E20", SITE, '"" if name in seen else ', "", PAGES),
    Mutant(
        "E21",
        SITE,
        "node.parent.replace(node, drawn)",
        "node.replace_self(drawn)",
        PAGES,
    ),
]
