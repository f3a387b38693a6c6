"""The studies: complete, with all that is known of each number, and still true."""

import subprocess
from collections import Counter

from book.studies import results
from book.studies.quantities import QUANTITIES
from tools import studies

STORED = [row for rows in results.read_all().values() for row in rows]
UNITS = studies.units()


def test_every_setting_of_every_script_is_stored():
    assert [str(unit) for unit in studies.missing(UNITS)] == []


def test_nothing_is_stored_that_no_script_measures():
    known = {unit.key for unit in UNITS}
    assert {row.unit for row in STORED} - known == set()


def test_each_setting_has_a_number_for_each_of_its_seeds():
    seeds = {unit.key: unit.setting.seeds for unit in UNITS}
    counts = Counter((row.unit, row.quantity, row.at) for row in STORED)
    wrong = {key: n for key, n in counts.items() if n != seeds[key[0]]}
    assert wrong == {}
    assert min(seeds.values()) >= 3


def test_each_row_says_what_it_was_measured_with():
    for row in STORED:
        assert {"python", "numpy", "torch", "bnlib"} == {
            part.partition("-")[0] for part in row.versions.split()
        }
        assert row.cpu_seconds > 0 and row.data and row.net and row.optimizer


def test_each_claim_is_measured_in_two_settings_that_differ_in_data_and_net():
    where = {}
    for row in STORED:
        if row.quantity in QUANTITIES and QUANTITIES[row.quantity].main:
            where.setdefault(row.claim, set()).add((row.data, row.net))
    for claim, pairs in where.items():
        different = [a for a in pairs for b in pairs if a[0] != b[0] and a[1] != b[1]]
        assert different, f"{claim} is measured in {pairs}"


def test_the_page_gives_a_reason_and_the_word_of_the_table():
    assert studies.main(["--page", "--check"]) == 0


def test_a_sample_of_this_commit_is_measured_again():
    asked = ["git", "-C", str(studies.ROOT), "rev-parse", "HEAD"]
    done = subprocess.run(asked, capture_output=True, text=True)
    # Without git (a downloaded archive) one sample serves for all.
    unit = studies.sample(done.stdout.strip() or "no commit")
    assert studies.compare(unit) == []
