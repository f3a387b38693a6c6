"""The doctor names each fault, is quiet on the healthy twin, and changes nothing."""

import copy
import dataclasses
import random
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import dropout as drop
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from bnlib import doctor
from bnlib import nn as ours
from bnlib.lab.doctor.report import ADVICE, SITE
from bnlib.lab.models import conv_net
from bnlib.lab.noisy import NoisyBatchNorm
from bnlib.lab.train import train
from bnlib.nn import reestimate
from tools import normal_form
from tools.setup_cell import address

torch.set_num_threads(1)
ROOT = Path(__file__).parents[2]


def images(size=16, count=3):
    draw = torch.Generator().manual_seed(1)
    return [2 * torch.randn(size, 1, 6, 6, generator=draw) + 1 for _ in range(count)]


DATA = images()


def lived(net, data=DATA):
    """Give a net the statistics that it has after long training on the data."""
    mode = net.training
    reestimate(net, data)
    for module in net.modules():
        if hasattr(module, "num_batches_tracked"):
            module.num_batches_tracked.fill_(1000)
    return net.train(mode)


def healthy(norm=nn.BatchNorm2d, between=nn.ReLU, bias=False):
    """Make a net without fault, as after training: conv, norm, ReLU, pool, linear."""
    torch.manual_seed(0)
    return lived(
        nn.Sequential(
            nn.Conv2d(1, 8, 3, bias=bias),
            norm(8),
            between(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(8, 3),
        )
    )


def dense(first=nn.Identity, layer=nn.Identity, size=36):
    """Make a net with a norm of one value per example, behind what is given."""
    torch.manual_seed(0)
    parts = nn.Flatten(), nn.ReLU(), first(), layer(), nn.BatchNorm1d(size)
    return nn.Sequential(*parts, nn.Linear(size, 3))


class Graph(nn.Module):
    """Apply a function to the parts of a net, which makes what is no chain."""

    def __init__(self, call, **parts):
        super().__init__()
        self.call, self.parts = call, nn.ModuleDict(parts)

    def forward(self, x):
        return self.call(self, x, **self.parts)


def changed(net, **numbers):
    """Return the net with other numbers or settings in its norm."""
    norm = next(m for m in net.modules() if hasattr(m, "running_mean"))
    for name, value in numbers.items():
        own = getattr(norm, name, None)
        if torch.is_tensor(value):
            own.data.copy_(value)
        elif torch.is_tensor(own):
            own.data[2:] = value
        else:
            setattr(norm, name, value)
    return net


def start(net):
    """Return the net with the statistics of the first day."""
    for module in net.modules():
        if hasattr(module, "reset_running_stats"):
            module.reset_running_stats()
    return net


def frozen(parts, eval_mode=False):
    """Return a net of which some parts do not learn."""
    net = healthy()
    for module in net[:parts]:
        module.requires_grad_(False).train(not eval_mode)
    return net


def in_no_grad(self, x, body, head):
    with torch.no_grad():
        x = body(x)
    return head(x.mean((2, 3)))


def guarded(norm_in_eval):
    net = Graph(in_no_grad, body=healthy()[:3], head=nn.Linear(8, 3))
    net.parts["body"].train(not norm_in_eval)
    return net


def twice(self, x, one, other, norm):
    return norm(one(x)) + norm(other(x))


def two_places(apart=False, own=False):
    torch.manual_seed(0)
    one, other = nn.Conv2d(1, 4, 1, bias=False), nn.Conv2d(1, 4, 1, bias=False)
    other.weight.data.copy_((5 if apart else 1) * one.weight)
    if own:

        def each(self, x, one, other, norm, second):
            return norm(one(x)) + second(other(x))

        norms = {"norm": nn.BatchNorm2d(4), "second": nn.BatchNorm2d(4)}
        return lived(Graph(each, one=one, other=other, **norms))
    return lived(Graph(twice, one=one, other=other, norm=nn.BatchNorm2d(4)))


def functional(p):
    def forward(self, x, norm, last):
        return last(norm(drop(x.flatten(1), p, self.training)))

    parts = {"norm": nn.BatchNorm1d(36), "last": nn.Linear(36, 3)}
    return Graph(forward, **parts)


def padded(beta, padding=1, between=nn.Identity):
    net = healthy()
    conv = nn.Conv2d(8, 4, 3, padding=padding, bias=False)
    return changed(nn.Sequential(*net[:2], between(), conv), bias=beta)


def pooled(norm, between=nn.Identity):
    net = healthy(between=between)
    net[1] = norm(8)
    return lived(net) if norm is not nn.InstanceNorm2d else net


def pooled_by_mean(norm):
    def forward(self, x, conv, norm, last):
        return last(norm(conv(x)).mean(dim=(2, 3)))

    return Graph(forward, conv=nn.Conv2d(1, 8, 3), norm=norm(8), last=nn.Linear(8, 3))


class OwnNorm(nn.Module):
    """A norm of a reader's own, with statistics as buffers or as plain tensors."""

    def __init__(self, channels, saved=True):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias, self.eps = nn.Parameter(torch.zeros(channels)), 1e-5
        keep = self.register_buffer if saved else self.__setattr__
        keep("running_mean", torch.zeros(channels))
        keep("running_var", 4 * torch.ones(channels))

    def forward(self, x):
        mean, var = (
            v.view(1, -1, *[1] * (x.ndim - 2))
            for v in (self.running_mean, self.running_var)
        )
        return (x - mean) / (var + self.eps).sqrt()


def remembers(net):
    """Let the running mean hold on to the graph of a batch."""
    norm = changed(net)[1]
    norm.running_mean = 0.9 * norm.running_mean + norm.weight
    return net


def partial_eval(net):
    net.eval()[1].train()
    return net


def sgd(net, **options):
    return torch.optim.SGD(net.parameters(), **({"lr": 0.1, "momentum": 0.9} | options))


def grouped(net):
    """Return an optimizer that leaves gamma and beta alone."""
    norm = set(net[1].parameters())
    rest = [p for p in net.parameters() if p not in norm]
    groups = [{"params": rest, "weight_decay": 1e-4}, {"params": list(norm)}]
    return torch.optim.SGD(groups, lr=0.1)


def loading(count, size, **options):
    data = TensorDataset(torch.cat(images(10, 4))[:count], torch.zeros(count))
    return DataLoader(data, batch_size=size, **options)


def nan_in(batch):
    data = images()
    data[batch][0, 0, 0, 0] = torch.nan
    return data


Dropout = nn.Dropout


def thinned():
    """Return a linear layer of 36 channels without a bias."""
    return nn.Linear(36, 36, bias=False)


# fault: (kind, level, where, words, sick net, healthy twin, what is passed beside them;
# a function of the net, which may depend on who is sick)
LOADER = {"loader": DATA}
FAULTS = {
    "NaN in the running mean": (
        *("poisoned", "finding", ("1",), r"running_mean nan in channel 2.*NaN"),
        lambda: changed(healthy(), running_mean=torch.nan),
        healthy,
        {},
    ),
    "negative variance": (
        *("poisoned", "finding", ("1",), r"running_var -1 in channel 2"),
        lambda: changed(healthy(), running_var=-1.0),
        healthy,
        LOADER,
    ),
    "infinite gamma": (
        *("poisoned", "finding", ("1",), r"weight inf in channel 2"),
        lambda: changed(healthy(), weight=torch.inf),
        healthy,
        {},
    ),
    "statistics not loaded": (
        *(
            "never-updated",
            "finding",
            ("1",),
            r"still 0 and 1, although beta was trained",
        ),
        lambda: start(changed(healthy(), bias=0.1)),
        lambda: changed(healthy(), bias=0.1),
        {},
    ),
    "not trained at all": (
        *("untrained", "note", ("1",), r"still 0 and 1: no batch"),
        lambda: start(healthy()),
        healthy,
        LOADER,
    ),
    "mean of other data": (
        *(
            "far",
            "finding",
            ("1",),
            r"not those of the data.*mean is off by \d+\.\d stand",
        ),
        lambda: changed(healthy(), running_mean=9.0),
        healthy,
        LOADER,
    ),
    "variance of other data": (
        *("far", "finding", ("1",), r"variance is off by a factor of 9\.0"),
        lambda: changed(healthy(), running_var=9 * healthy()[1].running_var),
        healthy,
        LOADER,
    ),
    "other data than the example": (
        *("far", "note", ("1",), r"not those of the example, if that is a fair sample"),
        lambda: changed(healthy(), running_mean=9.0),
        healthy,
        {"example": torch.cat(DATA)},
    ),
    "few batches so far": (
        *("young", "note", ("1",), r"have seen 12 batches .* not yet itself"),
        lambda: changed(
            healthy(), running_mean=9.0, num_batches_tracked=torch.tensor(12)
        ),
        lambda: changed(healthy(), num_batches_tracked=torch.tensor(12)),
        LOADER,
    ),
    "momentum 0": (
        *("momentum-zero", "finding", ("1",), r"Momentum is 0: .* never move"),
        lambda: changed(healthy(), momentum=0.0),
        lambda: changed(healthy(), momentum=0.01),
        {},
    ),
    "momentum 1": (
        *("momentum-one", "finding", ("1",), r"Momentum is 1: .* last batch alone"),
        lambda: changed(healthy(), momentum=1.0),
        healthy,
        {},
    ),
    "momentum of Keras": (
        *("momentum-large", "finding", ("1",), r"Momentum is 0\.99\. In PyTorch"),
        lambda: changed(healthy(), momentum=0.99),
        lambda: changed(healthy(), momentum=0.01),
        {},
    ),
    "momentum None": (
        *("momentum-none", "note", ("1",), r"Momentum is None.* since the start"),
        lambda: changed(healthy(), momentum=None),
        healthy,
        {},
    ),
    "no statistics kept": (
        *("no-statistics", "finding", ("1",), r"track_running_stats=False\).*depend"),
        lambda: nn.Sequential(
            nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8, track_running_stats=False)
        ),
        lambda: nn.Sequential(nn.Conv2d(1, 8, 3), nn.InstanceNorm2d(8)),
        {},
    ),
    "tracking switched off later": (
        *("no-statistics", "finding", ("1",), r"training does not move them, and eval"),
        lambda: changed(healthy(), track_running_stats=False),
        healthy,
        {},
    ),
    "statistics that are no buffers": (
        *("unsaved", "finding", ("1",), r"not in its state_dict"),
        lambda: nn.Sequential(nn.Flatten(), OwnNorm(36, saved=False)),
        lambda: nn.Sequential(nn.Flatten(), OwnNorm(36)),
        {},
    ),
    "statistics that hold a graph": (
        *("graph", "finding", ("1",), r"carries a graph of gradients"),
        lambda: remembers(healthy()),
        healthy,
        {},
    ),
    "buffers in bfloat16": (
        *("half", "finding", ("1",), r"in bfloat16: small updates"),
        lambda: healthy().bfloat16(),
        healthy,
        {},
    ),
    "buffers in float16, in use": (
        *("half", "note", ("1",), r"in float16: .* overflow"),
        lambda: healthy().half().eval(),
        lambda: healthy().eval(),
        {},
    ),
    "a norm that stays in training mode": (
        *("mode", "finding", ("1",), r"model is in eval mode, this norm in training"),
        lambda: partial_eval(healthy()),
        lambda: healthy().eval(),
        {},
    ),
    "no_grad inside of the model": (
        *("no-grad", "finding", ("parts.body.1",), r"runs the norm under no_grad"),
        lambda: guarded(norm_in_eval=False),
        lambda: guarded(norm_in_eval=True),
        {"example": DATA[0]},
    ),
    "a frozen part that moves": (
        *(
            "frozen",
            "finding",
            ("1",),
            r"has requires_grad=False, but .* training mode",
        ),
        lambda: frozen(3),
        lambda: frozen(3, eval_mode=True),
        LOADER,
    ),
    "a frozen norm without parameters": (
        *("frozen", "finding", ("1",), r"has requires_grad=False"),
        lambda: nn.Sequential(
            nn.Conv2d(1, 8, 3).requires_grad_(False), nn.BatchNorm2d(8, affine=False)
        ),
        lambda: nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8, affine=False)),
        {},
    ),
    "a part that is not optimized": (
        *("frozen", "finding", ("1",), r"is not in the optimizer, but"),
        healthy,
        healthy,
        lambda net, sick: {"optimizer": sgd(net[2:] if sick else net)},
    ),
    "gammas of 0": (
        *("gamma-zero", "note", ("1",), r"6 of 8 channels have a gamma of about 0"),
        lambda: changed(healthy(), weight=0.0, bias=0.1),
        lambda: changed(healthy(), weight=0.05, bias=0.1),
        {},
    ),
    "a residual branch that begins at 0": (
        *("gamma-zero", "note", ("1",), r"1 of 8 channels"),
        lambda: changed(healthy(), weight=torch.ones(8).scatter(0, torch.tensor(3), 0)),
        lambda: changed(healthy(), weight=torch.zeros(8)),
        {},
    ),
    "many dead ReLUs": (
        *("dead-relu", "finding", ("1",), r"6 of 8 channels are never positive on the"),
        lambda: changed(healthy(), bias=-6.0),
        lambda: changed(healthy(), bias=-1.0),
        LOADER,
    ),
    "one dead ReLU": (
        *("dead-relu", "note", ("1",), r"1 of 8 channels are never positive \(beta"),
        lambda: changed(healthy(), bias=torch.zeros(8).scatter(0, torch.tensor(3), -6)),
        lambda: changed(healthy(between=nn.Tanh), bias=-6.0),
        {},
    ),
    "a bias before the norm": (
        *("bias", "note", ("0",), r"bias, and the norm behind it subtracts"),
        lambda: healthy(bias=True),
        healthy,
        {},
    ),
    "a bias before a frozen norm, which counts": (
        *("bias", "note", ("0",), r"bias"),
        lambda: healthy(bias=True).eval(),
        lambda: Graph(
            in_no_grad, body=healthy(bias=True).eval()[:3], head=nn.Linear(8, 3)
        ),
        {"example": DATA[0]},
    ),
    "dropout right before the norm": (
        *("dropout", "finding", ("4",), r"Dropout stands before the norm: it raises"),
        lambda: lived(dense(Dropout)),
        lambda: lived(dense(lambda: Dropout(0.0))),
        {},
    ),
    "dropout before the layer before the norm": (
        *(
            "dropout",
            "finding",
            ("4",),
            r"Dropout stands before the norm \(through '3'\)",
        ),
        lambda: lived(dense(Dropout, thinned)),
        lambda: lived(dense(layer=thinned)),
        LOADER,
    ),
    "dropout as a function": (
        *("dropout", "finding", ("parts.norm",), r"Dropout stands before"),
        lambda: lived(functional(0.5)),
        lambda: lived(functional(0.0)),
        LOADER,
    ),
    "a border of zeros": (
        *("padding", "note", ("1",), r"pads with zeros .* off by 2\.0 standard"),
        lambda: padded(2.0),
        lambda: padded(2.0, padding=0),
        {},
    ),
    "a border of zeros behind a ReLU, where zeros are usual": (
        *("padding", "note", ("1",), r"pads with zeros"),
        lambda: padded(2.0, padding="same"),
        lambda: padded(2.0, between=nn.ReLU),
        {},
    ),
    "a border of zeros that nobody sees": (
        *("padding", "note", ("1",), r"off by 0\.7"),
        lambda: padded(0.7),
        lambda: padded(0.1),
        LOADER,
    ),
    "instance norm before the mean over positions": (
        *("pooling", "finding", ("1",), r"for each image, to beta"),
        lambda: pooled(nn.InstanceNorm2d),
        lambda: pooled(nn.InstanceNorm2d, nn.ReLU),
        {},
    ),
    "the same, with a method of tensors": (
        *("pooling", "finding", ("parts.norm",), r"for each image, to beta"),
        lambda: pooled_by_mean(nn.InstanceNorm2d),
        lambda: pooled_by_mean(nn.BatchNorm2d),
        LOADER,
    ),
    "single images before the mean over positions": (
        *("pooling", "finding", ("1",), r"for each batch, which is one image, to beta"),
        lambda: pooled(nn.BatchNorm2d),
        lambda: pooled(nn.BatchNorm2d),
        lambda net, sick: {"loader": images(1) if sick else DATA},
    ),
    "one norm for two kinds of input": (
        *("shared", "finding", ("parts.norm",), r"called 2 times in one pass.*differs"),
        lambda: two_places(apart=True),
        lambda: two_places(own=True),
        {"example": DATA[0]},
    ),
    "one norm for two equal inputs": (
        *("shared", "note", ("parts.norm",), r"called 2 times in one pass, so that"),
        two_places,
        lambda: two_places(own=True),
        {"example": DATA[0]},
    ),
    "a last batch of one": (
        *(
            "batch-of-one",
            "finding",
            ("4",),
            r"^The last batch of .* one value per channel",
        ),
        lambda: lived(dense()),
        lambda: lived(dense()),
        lambda net, sick: {"loader": loading(33, 16, drop_last=not sick)},
    ),
    "a batch of one in a list": (
        *(
            "batch-of-one",
            "finding",
            ("4",),
            r"^A batch of the loader holds one example",
        ),
        lambda: lived(dense()),
        lambda: lived(dense()),
        lambda net, sick: {"loader": DATA + images(1 if sick else 4)},
    ),
    "image by image": (
        *("batch-of-one", "finding", ("1",), r"Each batch .* statistics of one image"),
        healthy,
        healthy,
        lambda net, sick: {"loader": loading(40, 1 if sick else 8)},
    ),
    "two values for each mean": (
        *("tiny-batches", "finding", ("4",), r"A batch of 4 gives the norm 4 values"),
        lambda: lived(dense()),
        lambda: lived(dense()).eval(),
        {"loader": images(4, 8)},
    ),
    "a batch with NaN": (
        *("bad-batch", "finding", (), r"Batch 2 .* NaN or inf \(1 values\)"),
        healthy,
        healthy,
        lambda net, sick: {"loader": nan_in(1) if sick else DATA},
    ),
    "weight decay of gamma": (
        *(
            "weight-decay",
            "note",
            ("1",),
            r"Weight decay \(0\.0001\) pulls gamma and beta",
        ),
        healthy,
        healthy,
        lambda net, sick: {"optimizer": sgd(net, weight_decay=1e-4 * sick)},
    ),
    "weight decay of gamma in a group": (
        *("weight-decay", "note", ("1",), r"Weight decay"),
        healthy,
        healthy,
        lambda net, sick: {
            "optimizer": torch.optim.AdamW(net.parameters()) if sick else grouped(net)
        },
    ),
    "weight decay that is far too strong": (
        *("weight-decay", "finding", ("1",), r"halve them in 7 steps"),
        healthy,
        healthy,
        lambda net, sick: {"optimizer": sgd(net, weight_decay=0.1 * sick)},
    ),
}
each_fault = pytest.mark.parametrize("case", FAULTS.values(), ids=FAULTS)


def passed(options, net, sick):
    return options(net, sick) if callable(options) else options


@each_fault
def test_a_fault_is_recognized(case):
    kind, level, where, words, make, _, options = case
    net = make()
    report = doctor(net, **passed(options, net, sick=True))
    (found,) = [f for f in (*report.findings, *report.notes) if f.kind == kind]
    assert (found.level, found.where) == (level, where)
    assert re.search(words, found.says)
    assert found in (report.findings if level == "finding" else report.notes)


@each_fault
def test_the_healthy_twin_has_none(case):
    kind, _, _, _, _, make, options = case
    net = make()
    report = doctor(net, **passed(options, net, sick=False))
    assert report.findings == ()
    assert kind not in {f.kind for f in report.notes}


def test_every_kind_has_a_fault_among_the_tests():
    assert {case[0] for case in FAULTS.values()} == set(ADVICE)


@pytest.mark.parametrize("off", [torch.no_grad, torch.inference_mode])
def test_gradients_that_are_off_around_the_call_are_worth_a_look(off):
    with off():
        report = doctor(healthy(), loader=DATA)
        assert doctor(healthy().eval(), loader=DATA).findings == ()
    assert [(f.kind, f.sure) for f in report.findings] == [("no-grad", "worth a look")]


# --- the report -----------------------------------------------------------------------


def test_each_finding_leads_to_an_entry_of_the_clinic():
    cells = normal_form.read(ROOT / "book" / "clinic.ipynb").cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    titles = re.findall(r"^### (.+)$", text, re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", t.lower()).replace(" ", "-") for t in titles}
    assert {anchor for anchor, _ in ADVICE.values()} <= slugs
    found = doctor(changed(healthy(), momentum=1.0)).findings[0]
    assert found.link == f"{SITE}book/clinic.html#loss-is-fine-but-eval-is-bad"


def test_the_address_is_that_of_the_repository():
    owner, name = address(ROOT).split("/")[-2:]
    assert f"https://{owner}.github.io/{name}/" == SITE


def test_the_report_reads_as_sentences():
    net = changed(healthy(bias=True), momentum=1.0)
    text = str(doctor(net))
    assert text.startswith("Sequential, 1 norm: 1 finding and 1 note.\n\n")
    assert "Finding (certain), '1'\n  Momentum is 1" in text
    assert "\n  Do: Set momentum" in text
    assert "\n\nNote (certain), '0'\n" in text
    assert "Not looked at:\n- Whether the running statistics fit" in text
    assert repr(doctor(net)) == text
    prose = [line for line in text.splitlines() if "https" not in line]
    assert max(map(len, prose)) <= 80


def test_the_report_is_for_programs_too():
    found = doctor(changed(healthy(), momentum=1.0)).findings[0]
    assert dataclasses.asdict(found)["where"] == ("1",)
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.kind = "other"


def test_many_places_are_one_finding():
    net = nn.Sequential(*(nn.BatchNorm1d(3, momentum=1.0) for _ in range(9)))
    (found,) = doctor(net).findings
    assert len(found.where) == 9
    assert "'0', '1', '2' and 6 more" in str(found)


def test_what_is_certain_comes_first():
    net = changed(healthy(), momentum=0.99, running_mean=torch.nan)
    assert [f.sure for f in doctor(net).findings] == ["certain", "likely"]


# --- which models ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "norm",
    [
        nn.BatchNorm2d,
        nn.SyncBatchNorm,
        ours.BatchNorm,
        ours.SyncBatchNorm,
        NoisyBatchNorm,
        lambda channels: ours.GhostBatchNorm(channels, 4),
    ],
)
def test_norms_of_all_houses_are_known(norm):
    assert doctor(healthy(norm), loader=DATA).findings == ()
    (found,) = doctor(changed(healthy(norm), momentum=0.0), loader=DATA).findings
    assert found.kind == "momentum-zero"


class NormAct(nn.BatchNorm2d):
    """Norm and activation in one module, as timm has them."""

    def __init__(self, channels):
        super().__init__(channels)
        self.drop, self.act = nn.Identity(), nn.ReLU()

    def forward(self, x):
        return self.act(self.drop(super().forward(x)))


def test_an_activation_inside_of_the_norm_is_seen():
    net = changed(healthy(NormAct, between=nn.Identity), bias=-6.0)
    for options in ({}, LOADER):
        (found,) = doctor(net, **options).findings
        assert found.kind == "dead-relu"
    assert doctor(padded(2.0), loader=DATA).notes
    net = nn.Sequential(*healthy(NormAct)[:2], nn.Conv2d(8, 4, 3, padding=1))
    assert doctor(changed(net, bias=2.0), loader=DATA).notes == ()


def test_a_relu_that_only_rare_values_reach_is_not_dead():
    rare = torch.zeros(64, 1, 4, 4)
    rare[0, 0, 0, 0] = 1.0
    net = nn.Sequential(nn.BatchNorm2d(1), nn.ReLU(), nn.Flatten(), nn.Linear(16, 1))
    net[0].bias.data.fill_(-4.0)
    lived(net, [rare])
    assert [f.kind for f in doctor(net).findings] == ["dead-relu"]
    assert doctor(net, loader=[rare]).findings == ()


def test_betas_drawn_at_the_start_are_no_training():
    torch.manual_seed(0)
    net = nn.Sequential(*(nn.BatchNorm1d(64) for _ in range(9)))
    for norm in net:
        nn.init.normal_(norm.bias, 0, 0.1)
    assert [f.kind for f in doctor(net).notes] == ["untrained"]
    net[3].bias.data *= 4
    assert [f.kind for f in doctor(net).findings] == ["never-updated"]


class Decides(nn.Module):
    """No tracer follows this net; its auxiliary head runs in training only."""

    def __init__(self):
        super().__init__()
        self.body, self.aux = healthy(bias=True)[:2], nn.BatchNorm2d(8)

    def forward(self, x):
        y = self.body(x)
        if y.sum() > 0:
            y = y + 1
        return (y, self.aux(y)) if self.training else y


def test_a_model_that_cannot_be_traced_is_run():
    report = doctor(Decides())
    assert "bias" not in {f.kind for f in report.notes}
    assert any("torch.fx cannot trace" in text for text in report.unseen)
    report = doctor(Decides(), DATA[0])
    assert "bias" in {f.kind for f in report.notes}
    assert "'aux': not called in eval mode." in report.unseen


def test_a_part_that_fails_and_is_caught_hides_nothing():
    def tries(self, x, conv, norm, fails):
        try:
            fails(x)
        except RuntimeError:
            return norm(conv(x))

    parts = {"conv": nn.Conv2d(1, 8, 3), "norm": nn.BatchNorm2d(8)}
    net = Graph(tries, **parts, fails=nn.Linear(5, 2))
    assert "bias" in {f.kind for f in doctor(net, DATA[0]).notes}


def test_what_the_example_is_too_small_for_is_said():
    net = lived(dense())
    report = doctor(net, DATA[0][:1])
    assert any("Expected more than 1 value" in text for text in report.unseen)
    report = doctor(net, loader=[x[:8] for x in DATA])
    assert any("of 1 norm fit the data: fewer than 32" in t for t in report.unseen)


def test_a_model_without_norms_has_nothing_to_look_at():
    report = doctor(nn.Linear(3, 2), loader=DATA)  # which does not even fit
    assert (report.norms, report.findings, report.notes, report.unseen) == (
        0,
        (),
        (),
        (),
    )
    assert str(report) == "Linear has no batch or instance norm: nothing to look at."


def test_a_norm_alone_and_wrappers_are_looked_into():
    norm = nn.BatchNorm1d(3, momentum=1.0)
    assert "the model itself" in str(doctor(norm))
    wrapped = nn.DataParallel(nn.Sequential(norm))
    wrapped._orig_mod = wrapped.module
    for net in (wrapped, nn.DataParallel(nn.Sequential(norm))):
        assert doctor(net).findings[0].where == ("0",)


def test_further_arguments_come_from_the_example():
    def add(self, x, other, norm):
        return norm(x.flatten(1) + other)

    class Two(Graph):
        def forward(self, x, other):
            return add(self, x, other, **self.parts)

    net = Two(add, norm=nn.BatchNorm1d(36))
    report = doctor(net, (torch.cat(DATA), torch.ones(36)))
    assert report.unseen == ()
    report = doctor(changed(net, running_mean=9.0), (torch.cat(DATA), torch.ones(36)))
    assert "far" in {f.kind for f in report.notes}


def test_a_net_that_was_trained_has_no_findings():
    draw = torch.Generator().manual_seed(0)
    y = torch.arange(640) % 10
    shapes, noise = (torch.randn(n, 1, 8, 8, generator=draw) for n in (10, 640))
    shapes += torch.linspace(-2, 2, 10).view(10, 1, 1, 1)  # dark ones and bright ones
    x, net = (shapes[y] + noise).double(), conv_net()
    train(net, (x, y), steps=60, lr=0.05, batch_size=32, momentum=0.9)
    by_class = DataLoader(TensorDataset(x[y.argsort(stable=True)]), batch_size=32)
    for loader in (by_class, list(by_class), x.split(32)):
        report = doctor(net, loader=loader, optimizer=sgd(net))
        assert (report.findings, report.notes, report.unseen) == ((), (), ())
    assert [f.kind for f in doctor(net, loader=list(by_class)[:4]).findings] == ["far"]


class Stream(IterableDataset):
    """Data that do not know how many they are."""

    def __iter__(self):
        yield from torch.cat(DATA)


def test_a_loader_of_unknown_length_is_read_as_far_as_needed():
    assert doctor(healthy(), loader=DataLoader(Stream(), batch_size=16)).findings == ()

    class Endless:
        def __iter__(self):
            while True:
                yield DATA[0], torch.zeros(16)

    assert doctor(healthy(), loader=Endless()).findings == ()


# --- nothing is changed ---------------------------------------------------------------


class Changes(nn.Module):
    """Whatever a forward can change: attributes, lists, modes, numbers, generators."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 8, 3), OwnNorm(8, saved=False)
        self.calls, self.seen, self.last = 0, [], torch.zeros(1)
        self.known = nn.BatchNorm2d(8)

    def forward(self, x):
        self.calls += 1
        self.seen.append(float(x.sum()))
        self.last += 1
        y = self.conv(x)
        mean = self.norm.running_mean
        self.norm.running_mean = 0.9 * mean + 0.1 * y.detach().mean((0, 2, 3))
        np.random.rand()  # noqa: NPY002
        random.random()
        return self.known(drop(y) + torch.rand(1)).mean((2, 3))


def snapshot(net):
    """Return everything that can be told of a model, and the generators."""
    state = copy.deepcopy({n: vars(m) for n, m in net.named_modules()})
    grads = {n: (p.grad, p.requires_grad) for n, p in net.named_parameters()}
    ids = [id(t) for t in (*net.parameters(), *net.buffers())]
    drawn = torch.get_rng_state(), random.getstate(), np.random.get_state()[1]  # noqa: NPY002
    return state, grads, ids, drawn, [m.training for m in net.modules()]


def same(a, b):
    """Tell whether two nested values are equal, tensors number by number."""
    if torch.is_tensor(a):
        return torch.equal(a, b)
    if isinstance(a, np.ndarray):
        return np.array_equal(a, b)
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, nn.Module):
        return type(a) is type(b)
    return a == b


def restless():
    net = Changes()
    net.norm.eval()
    net.conv.weight.grad = torch.ones_like(net.conv.weight)
    net.conv.bias.requires_grad_(False)
    return net


def test_everything_comes_out_as_it_went_in():
    net = restless()
    loader = loading(33, 8, shuffle=True, generator=torch.Generator().manual_seed(3))
    before, numbers = snapshot(net), loader.generator.get_state()
    grad = net.conv.weight.grad
    doctor(net, DATA[0], loader, torch.optim.SGD(net.parameters(), 0.1, weight_decay=1))
    doctor(net, loader=loading(33, 8, shuffle=True))
    doctor(net)
    assert same(snapshot(net), before)
    assert net.conv.weight.grad is grad
    assert torch.equal(loader.generator.get_state(), numbers)
    net(DATA[0])
    assert not same(snapshot(net), before), "or else the comparison sees nothing"


def test_everything_comes_out_as_it_went_in_also_after_an_error():
    net = restless()
    net.known = nn.BatchNorm2d(7)
    before = snapshot(net)
    with pytest.raises(ValueError, match="must run in eval mode"):
        doctor(net, DATA[0])
    assert same(snapshot(net), before)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())


def test_hooks_of_the_reader_stay():
    net, calls = healthy(), []
    net[1].register_forward_hook(lambda *_: calls.append(1))
    hooks = list(net[1]._forward_hooks)
    doctor(net, loader=DATA)
    assert list(net[1]._forward_hooks) == hooks
    assert calls, "they run with the model"


# --- bad input ------------------------------------------------------------------------


BAD = {
    "no module": ((3,), TypeError, r"model must be a torch\.nn\.Module, got int; pass"),
    "a scripted model": (
        (torch.jit.ScriptModule(),),
        ValueError,
        r"run in Python, got ScriptModule; pass",
    ),
    "a lazy model": (
        (nn.Sequential(nn.LazyBatchNorm1d()),),
        ValueError,
        r"know its sizes, got a lazy '0\.weight'; pass a batch",
    ),
    "no tensor": ((healthy(), "x"), TypeError, r"example must be a tensor, .* got str"),
    "no example": (
        (healthy(), ()),
        TypeError,
        r"example must be .* got an empty tuple",
    ),
    "an example of other shape": (
        (healthy(), torch.ones(4, 2, 6, 6)),
        ValueError,
        r"got RuntimeError \(.*\) for shape \(4, 2, 6, 6\); check shape",
    ),
    "no loader": ((healthy(), None, 3), TypeError, r"loader must be .*, got int; pass"),
    "an empty loader": (
        (healthy(), None, []),
        ValueError,
        r"at least one batch, got none",
    ),
    "an iterator": (
        (healthy(), None, iter(DATA)),
        ValueError,
        r"loader must be there again .* got list_iterator, which is used up; pass",
    ),
    "batches by name": (
        (healthy(), None, [{"image": DATA[0]}]),
        TypeError,
        r"a batch must be a tensor or .* got dict; pass example instead",
    ),
    "no optimizer": ((healthy(), None, None, "sgd"), TypeError, r"Optimizer, got str;"),
    "the optimizer of another model": (
        (healthy(), None, None, sgd(healthy())),
        ValueError,
        r"parameters of the model, got one that holds 5 others; make it",
    ),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD)
def test_bad_input_is_refused_in_one_sentence(case):
    arguments, error, words = case
    with pytest.raises(error, match=words):
        doctor(*arguments)
