"""The table of the zoo on small nets of ours: right, refused, wrong, or a failure."""

import pytest
import torch
from torch import nn

from tests.zoo import checkups, nets, report


def net(*behind):
    torch.manual_seed(0)
    first = nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()
    second = nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8), nn.ReLU()
    model = nn.Sequential(*first, *second, *behind, nn.Flatten(), nn.Linear(8 * 16, 3))
    x = torch.randn(4, 1, 6, 6).double()
    return nets.lived(model.double(), x), x


@pytest.fixture
def quick(monkeypatch):
    """Leave out the columns that need other packages or seconds."""
    slow = ("fx fuse", "torch-pruning", "export")
    cells = {k: v for k, v in report.CELLS.items() if k not in slow}
    monkeypatch.setattr(report, "CELLS", cells)
    return cells


def test_row_of_a_net_that_all_tools_understand(quick):
    cells, said, ratio = report.row(*net())
    assert ratio is None and said == {} and report.bad(cells) == []
    assert cells["fold"].startswith("2 of 2, ") and cells["prune"].startswith(
        "5 of 16, "
    )
    assert cells["absorb"].endswith("2 of 2 exact")
    assert cells["sizes"].endswith(" M") and " / –" in cells["seconds"]


def test_refusals_are_told_and_failures_and_wrong_results_are_bad(quick):
    class Odd(nn.Module):
        def forward(self, x):
            return x.flip(1) if x.mean() < 1e9 else x

    class Counting(nn.Module):
        def forward(self, x):
            return x * (x.shape[1] / 8)

    cells, said, _ = report.row(*net(Counting()))
    assert cells["prune"] == "refused" and "forward does something" in said["prune"]
    assert cells["absorb"] == "–" and report.bad(cells) == []
    assert report.row(*net(Odd()))[0]["prune"].startswith("2 of 8, 1 held")

    def failing(*_):
        raise RuntimeError("no")

    quick |= {"fold": failing, "sizes": lambda *_: report.told(1e-3)}
    cells, said, _ = report.row(*net())
    assert report.bad(cells) == ["fold", "sizes"]
    assert said == {"fold": "RuntimeError: no"}
    quick["fx fuse"] = failing
    assert report.bad(report.row(*net())[0]) == ["fold", "sizes"]


def test_channels_that_are_gone_are_read_off_the_gammas():
    model, x = net()
    small, _ = net()
    small[1].weight.data[2] = 5.0
    again = report.silenced(model, small)
    assert (again[1].weight == 0).tolist() == [k == 2 for k in range(8)]
    assert again[1].bias[2] == 0 and torch.equal(again[4].weight, model[4].weight)


def test_page_holds_every_net_and_what_was_refused():
    rows = {
        "resnet18": ({"fold": "1"}, {}, 1.5),
        "mobilenet_v2": ({"fold": "2"}, {"fold": "no"}, 0.5),
        "densenet121": ({"fold": "3"}, {}, None),
    }
    page = report.page(rows)
    assert "| resnet18 | sums | 1 |" in page
    assert "1.00 times as long as torch-pruning in the median over 2 nets" in page
    assert "0.50 to 1.50 times" in page
    assert page.endswith("- mobilenet_v2, fold: no")


@pytest.mark.parametrize("momentum, alarms", [(0.1, 0), (1.0, 3)])
def test_a_false_alarm_of_the_doctor_is_told_and_makes_the_table_fail(
    momentum, alarms, monkeypatch, capsys
):
    model, x = net()
    model[1].momentum = momentum
    monkeypatch.setattr(checkups, "states", lambda name: [(model, [x])] * 3)
    assert checkups.main(["resnet18"]) == min(alarms, 1)
    said = capsys.readouterr().out
    assert said.count("momentum-one 1; ") == alarms
    assert said.count("none; ") == 3 - alarms
    text = checkups.page({"resnet18": checkups.row("resnet18")})
    assert "| resnet18 | sums | 2 | " in text
    assert f"1 nets in 3 states: {alarms} false alarms." in text


def test_the_doctor_sees_each_net_in_three_states(monkeypatch):
    monkeypatch.setattr(checkups, "make", lambda name: net())
    seen = []

    def train(model, batches):
        seen.append("trained")
        model(batches[0])

    monkeypatch.setattr(checkups, "train", train)
    monkeypatch.setattr(
        checkups, "build", lambda name: (fresh(), torch.zeros(1, 1, 6, 6))
    )
    for model, batches in checkups.states("any"):
        seen.append((int(model[1].num_batches_tracked), len(batches)))
    assert seen == [(0, 2), "trained", (1, 2), (1000, 1)]


def fresh():
    model = net()[0].float().train()
    for norm in (model[1], model[4]):
        norm.reset_running_stats()
    return model


def test_times_are_those_of_both_tools_in_turns(monkeypatch):
    monkeypatch.setattr(report, "_cut_by_them", lambda model, x: None)
    model, x = net()
    found = {"small": model, "theirs": True}
    assert report.seconds(model, x, found).endswith(f" = {found['ratio']:.2f}")
    assert report.seconds(model, x, {}) == "– / –"
