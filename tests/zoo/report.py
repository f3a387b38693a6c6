"""Try fold and slimming on real architectures, and write what came of it.

``python -m tests.zoo.report`` (or ``make zoo``) rewrites ``tests/zoo.md``; with names
of nets it prints their rows only. A cell that is wrong, or a traceback, makes it fail:
each must be right, or refused in one sentence.
"""

import argparse
import copy
import io
import statistics
import sys
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from bnlib.fold import fold
from bnlib.lab.probe import cpu_time
from bnlib.modules import is_channel_norm, relative_difference, tensors_in
from bnlib.slimming import absorb, plan, prune, summary
from tests.zoo.nets import NETS, make

PAGE = Path(__file__).parents[1] / "zoo.md"
RATIO, LIMIT, REPEATS = 0.3, 1e-8, 3
COLUMNS = {
    "fold": "fold",
    "fx fuse": "PyTorch's fuse",
    "prune": "plan and prune",
    "torch-pruning": "torch-pruning",
    "absorb": "absorb",
    "sizes": "sizes",
    "export": "ONNX",
    "seconds": "seconds, ours / theirs",
}
HEAD = """# Fold and slimming on nets that others wrote

Made by `make zoo`: definitions of torchvision and timm with random weights, in float64,
images of a few pixels, 30% of the channels to go.

- A number is the largest difference of the outputs, relative to the largest output,
  from the net itself (fold) or from the net with gamma and beta 0 on the channels that
  are gone (prune). Which ones those are is read off the gammas that are left, so the
  comparison uses nothing of the tool that is tried.
- *n of m*: norms that are gone after folding; channels that go, of those that may. We
  count what must go together once, torch-pruning each norm's; *held* are layers that
  stay whole, with a reason.
- **absorb**: distance from the net with gamma 0, without → with absorbing.
- **ONNX**: difference of the pruned net, in float32, in onnxruntime.
- **seconds**: processor time of plan and prune beside that of torch-pruning's pruner
  and step, medians of three in turns after one to warm up, on one example. Ours runs
  both nets before it returns the smaller one.
- *refused*: one sentence says why; *fails*: an error of another kind; **wrong**: more
  than rounding.

"""


def difference(got, want):
    """Return the largest relative difference of two outputs."""
    return relative_difference(got, want)[0]


def told(number):
    """Write a difference, and say so where it is more than rounding."""
    return f"{number:.0e}" if number < LIMIT else f"**wrong** {number:.0e}"


def norms(net):
    """Return the norms of a net by name."""
    return {name: m for name, m in net.named_modules() if is_channel_norm(m)}


def silenced(net, small):
    """Set gamma and beta to 0 on the channels that a smaller net does not have."""
    net, left = copy.deepcopy(net), norms(small)
    for name, norm in norms(net).items():
        if norm.weight is not None:
            gone = ~torch.isin(norm.weight, left[name].weight)
            norm.weight.data[gone] = norm.bias.data[gone] = 0
    return net


def trains(net, x):
    """Run one step of training, heads of it included."""
    net = copy.deepcopy(net).train()
    sum(t.square().mean() for t in tensors_in(net(x))).backward()


# --- one cell each --------------------------------------------------------------------


def folded(net, x, _):
    """Fold; strict would refuse the net for a norm before a padding layer."""
    small, report = fold(net, x, strict=False)
    gap = told(difference(small(x), net(x)))
    return f"{len(report.folded)} of {len(norms(net))}, {gap}"


def fused(net, x, _):
    """Fold with PyTorch's own function."""
    from torch.fx.experimental.optimization import fuse

    small = fuse(copy.deepcopy(net))
    # It looks into modules of timm's own, so that norms are left as functions.
    left = [n for n in small.graph.nodes if n.target is nn.functional.batch_norm]
    gone = len(norms(net)) - len(norms(small)) - len(left)
    return f"{gone} of {len(norms(net))}, {told(difference(small(x), net(x)))}"


def pruned(net, x, found):
    """Plan and prune, and train the result for a step."""
    cut = plan(net, RATIO, example_input=x[:1])
    small = prune(net, cut)
    found["cut"], found["small"] = cut, small
    gap = told(difference(small(x), silenced(net, small)(x)))
    trains(small, x)
    gone = sum(int((~g.kept).sum()) for g in cut.groups.values())
    held = f", {len(cut.fixed)} held" if cut.fixed else ""
    return f"{gone} of {sum(len(g.kept) for g in cut.groups.values())}{held}, {gap}"


def their_pruned(net, x, found):
    """Prune with torch-pruning, the same share by the same gammas."""
    theirs = _cut_by_them(copy.deepcopy(net), x)
    gap = told(difference(theirs(x), silenced(net, theirs)(x)))
    trains(theirs, x)
    before, after = (
        sum(m.running_mean.numel() for m in norms(n).values()) for n in (net, theirs)
    )
    found["theirs"] = True
    return f"{before - after} of {before}, {gap}"


def _cut_by_them(net, x):
    """Prune a net in place with torch-pruning, and return it."""
    import torch_pruning as tp

    last = [m for m in net.modules() if isinstance(m, nn.Linear | nn.Conv2d)][-1]
    importance = tp.importance.BNScaleImportance(
        group_reduction="mean", normalizer=None
    )
    pruner = tp.pruner.BNScalePruner(
        *(net, x[:1], importance),
        global_pruning=True,
        pruning_ratio=RATIO,
        ignored_layers=[last],
        output_transform=tensors_in,
    )
    pruner.step()
    return net


def absorbed(net, x, found):
    """Absorb what the dead channels say, and prune the result."""
    new, report = absorb(net, found["cut"])
    small = prune(new, found["cut"])
    gap = difference(small(x), new(x))
    exact = sum(remark == "exact" for remark in report.values())
    text = f"{report.before:.2g} → {report.difference:.2g}, {exact} of {len(report)}"
    return f"{text} exact" + (f", {told(gap)}" if gap > LIMIT else "")


def sizes(net, x, found):
    """Count, beside PyTorch's own counter run on the bare net."""
    texts = []
    for which in (net, found.get("small", net)):
        size = summary(which, x[:1])
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            which(x[:1])
        right = size.flops == counter.get_total_flops()
        right &= size.parameters == sum(p.numel() for p in which.parameters())
        texts.append(f"{size.macs / 1e6:.1f}" if right else "**wrong**")
    return " → ".join(texts) + " M"


def exported(net, x, found):
    """Export the pruned net, and run it elsewhere."""
    import onnxruntime

    small, x = copy.deepcopy(found["small"]).float(), x[:1].float()
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the quick exporter is the old one
        torch.onnx.export(small, (x,), file, dynamo=False, input_names=["x"])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        file.getvalue(), options, providers=["CPUExecutionProvider"]
    )
    got = [torch.tensor(np.asarray(v)) for v in session.run(None, {"x": x.numpy()})]
    want = tensors_in(small(x))
    gap, to_rounding = relative_difference(got, want)
    return f"{gap:.0e}" if to_rounding else f"**wrong** {gap:.0e}"


def seconds(net, x, found):
    """Set the time of plan and prune beside that of torch-pruning."""
    nets = [copy.deepcopy(net) for _ in range(REPEATS + 1)] if "theirs" in found else []
    ways = {"theirs": lambda: _cut_by_them(nets.pop(), x)} if nets else {}
    if "small" in found:
        ways["ours"] = lambda: prune(net, plan(net, RATIO, example_input=x[:1]))
    times = cpu_time(ways, repeats=REPEATS)
    texts = [f"{times[k]:.2f}" if k in times else "–" for k in ("ours", "theirs")]
    if len(times) < 2:
        return " / ".join(texts)
    found["ratio"] = times["ours"] / times["theirs"]
    return f"{' / '.join(texts)} = {found['ratio']:.2f}"


CELLS = dict(
    zip(
        COLUMNS,
        (folded, fused, pruned, their_pruned, absorbed, sizes, exported, seconds),
        strict=True,
    )
)
OTHERS = ("fx fuse", "torch-pruning")
NEEDS_PRUNED = ("absorb", "export")
WITH_GRADIENTS = ("prune", "torch-pruning", "seconds")


def row(net, x):
    """Return the cells of one net, the sentences of refusal, and the ratio of times."""
    found, cells, said = {}, {}, {}
    for column, cell in CELLS.items():
        if column in NEEDS_PRUNED and "small" not in found:
            cells[column] = "–"
            continue
        torch.manual_seed(1)
        try:
            with torch.set_grad_enabled(column in WITH_GRADIENTS):
                cells[column] = cell(net, x, found)
        except Exception as error:  # what comes of other people's nets is the question
            text = (str(error).splitlines() or [""])[0]
            sentence = isinstance(error, ValueError | TypeError) and "got" in text
            refused = sentence and column not in OTHERS
            cells[column] = "refused" if refused else "fails"
            said[column] = text if refused else f"{type(error).__name__}: {text}"
    return cells, said, found.get("ratio")


def bad(cells):
    """List the columns of ours that are wrong or failed without a sentence."""
    ours = {k: v for k, v in cells.items() if k not in OTHERS}
    return [k for k, v in ours.items() if "wrong" in v or v == "fails"]


def page(rows):
    """Write the table and, below it, what was refused."""
    names = ["net", "kind", *COLUMNS.values()]
    lines = [" | ".join(names), "|".join(["---"] * len(names))]
    for name, (cells, *_) in rows.items():
        lines.append(" | ".join([f"{name}", NETS[name][1], *cells.values()]))
    lines = [f"| {line} |" for line in lines]
    told_off = [
        f"- {name}, {COLUMNS[column]}: {text}"
        for name, (_, said, _) in rows.items()
        for column, text in said.items()
    ]
    lines += ["", speed(rows), "", "What was refused, or failed:", ""]
    return HEAD + "\n".join([*lines, *told_off])


def speed(rows):
    """Say how plan and prune compare with torch-pruning over all nets."""
    ratios = [ratio for *_, ratio in rows.values() if ratio is not None]
    if not ratios:
        return "Nothing to compare times with."
    return (
        f"Plan and prune take {statistics.median(ratios):.2f} times as long as "
        f"torch-pruning in the median over {len(ratios)} nets, "
        f"{min(ratios):.2f} to {max(ratios):.2f} times."
    )


def main(arguments=None):
    """Run the command line; return 1 if a cell is wrong or fails without a sentence."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="nets; by default all, for the page")
    names = parser.parse_args(arguments).names
    torch.set_num_threads(1)
    rows = {}
    for name in names or NETS:
        rows[name] = row(*make(name))
        print(name, *rows[name], sep="\n  ", flush=True)
    if not names:
        PAGE.write_text(page(rows) + "\n", encoding="utf8")
    print(speed(rows))
    wrong = {name: bad(cells) for name, (cells, *_) in rows.items() if bad(cells)}
    print(*(f"{name}: {columns}" for name, columns in wrong.items()), sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
