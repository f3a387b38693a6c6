"""Let the doctor look at real architectures, and write what he says of healthy nets.

``python -m tests.zoo.checkups`` (or ``make zoo``) rewrites ``tests/doctor.md``; with
names of nets it prints their rows only. A finding is a false alarm and makes it fail;
so does an error.
"""

import argparse
import sys
import time
from pathlib import Path

import torch

from bnlib import doctor
from bnlib.modules import tensors_in
from bnlib.nn import reestimate
from tests.zoo.nets import MORE, NETS, build, make

PAGE = Path(__file__).parents[1] / "doctor.md"
STEPS, BATCH = 4, 8
HEAD = f"""# What the doctor says of healthy nets

Made by `make zoo`: definitions of torchvision and timm, images of a few pixels that are
noise, with a loader and an optimizer (SGD with momentum 0.9, weight decay 0.0001).

- **as built**: with random weights, in training mode.
- **{STEPS} steps**: of training, on batches of {BATCH}.
- **long after**: gammas from 0.3 to 1.3, betas of standard deviation 0.3, statistics
  from the data, in eval mode.
- Before the semicolon stand findings: each is a false alarm. Behind it notes, which
  must be true, with the number of places: *untrained*, statistics still 0 and 1;
  *young*, they still hold part of that; *weight-decay*, of gamma and beta.
- **not seen**: sentences on what could not be looked at.

"""
STATES = ("as built", f"{STEPS} steps", "long after")
COLUMNS = ("net", "kind", "norms", *STATES, "not seen")


def optimizer(net):
    """Return the optimizer of a common recipe."""
    return torch.optim.SGD(net.parameters(), 0.01, momentum=0.9, weight_decay=1e-4)


def train(net, batches, steps=STEPS):
    """Take a few steps towards small outputs, of all heads."""
    sgd = optimizer(net.train())
    for step in range(steps):
        sgd.zero_grad()
        loss = sum(
            t.square().mean() for t in outputs(net(batches[step % len(batches)]))
        )
        loss.backward()
        sgd.step()


def outputs(out):
    """Return the tensors that a net gives; googlenet's come in a tuple with names."""
    return tensors_in(tuple(out) if hasattr(out, "_fields") else out)


def states(name):
    """Yield a net in each state with the batches that the doctor gets."""
    net, x = build(name)
    draw = torch.Generator().manual_seed(1)
    batches = [torch.randn(BATCH, *x.shape[1:], generator=draw) for _ in range(2)]
    yield net, batches
    train(net, batches)
    yield net, batches
    net, x = make(name)
    if any(hasattr(m, "running_mean") for m in net.modules()):
        reestimate(net, [x])
    for module in net.modules():
        if getattr(module, "num_batches_tracked", None) is not None:
            module.num_batches_tracked.fill_(1000)
    yield net, [x]


def told(report):
    """Write the kinds of what was found, with their places."""
    parts = [
        ", ".join(f"{found.kind} {len(found.where)}" for found in some) or "none"
        for some in (report.findings, report.notes)
    ]
    return "; ".join(parts)


def row(name):
    """Return the reports on a net in its three states."""
    return [
        doctor(net, loader=batches, optimizer=optimizer(net))
        for net, batches in states(name)
    ]


def page(rows):
    """Write the table, and what could not be seen."""
    lines = [" | ".join(COLUMNS), "|".join(["---"] * len(COLUMNS))]
    for name, reports in rows.items():
        unseen = len({text for report in reports for text in report.unseen})
        cells = [name, (NETS | MORE)[name][1], str(reports[0].norms)]
        lines.append(" | ".join([*cells, *map(told, reports), str(unseen)]))
    alarms = sum(len(report.findings) for some in rows.values() for report in some)
    last = f"{len(rows)} nets in {3 * len(rows)} states: {alarms} false alarms."
    return HEAD + "\n".join([*(f"| {line} |" for line in lines), "", last])


def main(arguments=None):
    """Run the command line; return 1 if there is a false alarm."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="nets; by default all, for the page")
    names = parser.parse_args(arguments).names
    torch.set_num_threads(1)
    rows = {}
    for name in names or NETS | MORE:
        start = time.process_time()
        rows[name] = row(name)
        print(f"{name} ({time.process_time() - start:.1f} s)", flush=True)
        for report in rows[name]:
            print(f"  {told(report)}", *report.unseen, sep="\n    ")
            print(*report.findings, sep="\n", end="\n" if report.findings else "")
    if not names:
        PAGE.write_text(page(rows) + "\n", encoding="utf8")
    return int(any(report.findings for some in rows.values() for report in some))


if __name__ == "__main__":
    sys.exit(main())
