"""What the doctor says: findings, notes, what was not seen; with advice and a link."""

import textwrap
from dataclasses import dataclass

__all__ = ["Finding", "Report"]

# Carried here from _config.yml by `make stamp`, as to every file that states it.
SITE = "https://example-org.github.io/batch-normalization-measured/"
CLINIC = f"{SITE}book/clinic.html"
WIDTH = 80  # of the lines of a report

EVAL_BAD = "loss-is-fine-but-eval-is-bad"
MATES = "predictions-depend-on-the-batch"
FROZEN = "a-frozen-backbone-drifts"
ONE_VALUE = "expected-more-than-1-value-per-channel-when-training"
POISONED = "nan-in-eval-mode-after-one-bad-batch"
PRUNED = "the-pruned-model-is-at-chance"

# kind: (entry of the clinic, what to do)
ADVICE = {
    "poisoned": (
        POISONED,
        "bnlib.nn.heal(model, loader) takes sound statistics; gamma and beta need a "
        "checkpoint. Then find the batch that did it, and skip such batches before the "
        "forward pass.",
    ),
    "bad-batch": (POISONED, "Leave it out before the forward pass."),
    "never-updated": (
        "statistics-missing-from-the-checkpoint",
        "Load the whole state_dict() with strict=True, or take the statistics anew: "
        "bnlib.nn.reestimate(model, loader).",
    ),
    "untrained": (EVAL_BAD, "Train, or load a checkpoint, before you call eval()."),
    "unsaved": (
        "statistics-missing-from-the-checkpoint",
        "Register them with register_buffer(name, tensor).",
    ),
    "graph": (
        "memory-grows-with-each-step",
        "Update the statistics under torch.no_grad() and in place.",
    ),
    "far": (
        EVAL_BAD,
        "bnlib.nn.reestimate(model, loader) takes them anew; if that mends eval mode, "
        "look for the cause: other data, too few batches, averaged weights.",
    ),
    "young": (
        EVAL_BAD,
        "Before you judge it in eval mode, train on, or call "
        "bnlib.nn.reestimate(model, loader).",
    ),
    "momentum-zero": (
        EVAL_BAD,
        "Set momentum, PyTorch's default is 0.1; to freeze a norm, call its eval().",
    ),
    "momentum-one": (EVAL_BAD, "Set momentum, PyTorch's default is 0.1."),
    "momentum-large": (
        EVAL_BAD,
        "If it comes from Keras, Flax or TensorFlow, set 1 minus it.",
    ),
    "momentum-none": (
        EVAL_BAD,
        "Right for an estimate with fixed weights; for training set 0.1.",
    ),
    "no-statistics": (
        MATES,
        "If predictions must not depend on the batch, keep track_running_stats=True, "
        "or take group norm.",
    ),
    "half": (
        "half-precision-zeros-inf-or-a-mean-that-stops-moving",
        "Keep norms in float32, norm.float(), and use torch.autocast for the rest.",
    ),
    "mode": (
        MATES,
        "Call model.eval() as a whole; a train() of your own calls super().train().",
    ),
    "no-grad": (
        "a-validation-pass-changes-the-model",
        "Call eval() on it as well: no_grad switches gradients off, nothing else.",
    ),
    "frozen": (
        FROZEN,
        "After each model.train(), call eval() on these norms.",
    ),
    "shared": (EVAL_BAD, "Give each place a norm of its own."),
    "bias": (
        "the-folded-model-gives-other-numbers",
        "bias=False saves the parameters; beta does the same. Nothing breaks if you "
        "leave it.",
    ),
    "dropout": (
        "dropout-before-batch-norm-variance-shift",
        "Move dropout behind the last norm, or call bnlib.nn.reestimate(model, loader) "
        "after training.",
    ),
    "padding": (
        "the-folded-model-gives-other-numbers",
        "Harmless in training; to fold the norm, put it behind the convolution.",
    ),
    "pooling": (
        MATES,
        "Pool first, or put an activation between; for single images take group norm.",
    ),
    "dead-relu": (
        PRUNED,
        "Prune them, or train again with a smaller learning rate or less decay.",
    ),
    "gamma-zero": (
        PRUNED,
        "bnlib.slimming.plan, absorb and prune take them out.",
    ),
    "batch-of-one": (
        ONE_VALUE,
        "DataLoader(..., drop_last=True), larger batches, or group norm.",
    ),
    "tiny-batches": (
        "fine-tuning-with-tiny-batches",
        "Larger batches, frozen norms, or group norm.",
    ),
    "weight-decay": (
        "weight-decay-on-gamma-and-beta-exclude-them",
        "Exclude them, by a group with weight_decay=0, if your recipe does.",
    ),
}


@dataclass(frozen=True)
class Finding:
    """One thing that the doctor has seen.

    Parameters
    ----------
    kind : str
        What it is, in one word for programs: ``"poisoned"``, ``"bias"``.
    level : {"finding", "note"}
        Whether it is a fault, or harmless and worth knowing.
    sure : {"certain", "likely", "worth a look"}
        Certain is what can be read off; likely, what is measured or a fault unless it
        is meant so.
    where : tuple of str
        Names of the modules, as in ``model.named_modules()``; ``""`` is the model.
        Empty for what concerns the loader.
    says : str
        The sentence.
    do : str
        What to do about it.
    link : str
        Address of the entry of the failure clinic.

    Examples
    --------
    >>> from torch import nn
    >>> from bnlib import doctor
    >>> note = doctor(nn.Sequential(nn.BatchNorm1d(3))).notes[0]
    >>> isinstance(note, Finding), note.kind, note.sure
    (True, 'untrained', 'certain')
    """

    kind: str
    level: str
    sure: str
    where: tuple
    says: str
    do: str
    link: str

    def __str__(self):
        """Write it in sentences."""
        head = f"{self.level.capitalize()} ({self.sure})"
        at = f", {named(self.where)}" if self.where else ""
        body = "\n".join(_wrap(text) for text in (self.says, f"Do: {self.do}"))
        return f"{head}{at}\n{body}\n  {self.link}"


@dataclass(frozen=True, repr=False)
class Report:
    """What :func:`bnlib.doctor` returns; printed, it is sentences.

    Parameters
    ----------
    model : str
        Name of the model's class.
    norms : int
        Norms of each channel (batch and instance norm) in it.
    findings : tuple of Finding
        Faults; none for a healthy model.
    notes : tuple of Finding
        What is harmless and worth knowing.
    unseen : tuple of str
        A sentence for each thing that could not be looked at.

    Examples
    --------
    >>> from torch import nn
    >>> from bnlib import doctor
    >>> doctor(nn.Sequential(nn.Linear(4, 3)))
    Sequential has no batch or instance norm: nothing to look at.
    >>> isinstance(doctor(nn.Sequential(nn.Linear(4, 3))), Report)
    True
    """

    model: str
    norms: int
    findings: tuple
    notes: tuple
    unseen: tuple

    def __str__(self):
        """Write it in sentences."""
        if not self.norms:
            return f"{self.model} has no batch or instance norm: nothing to look at."
        faults = counted(len(self.findings), "finding")
        remarks = counted(len(self.notes), "note")
        norms = counted(self.norms, "norm")
        head = f"{self.model}, {norms}: {faults} and {remarks}."
        parts = [head, *map(str, (*self.findings, *self.notes))]
        if self.unseen:
            lines = [textwrap.fill(f"- {text}", WIDTH) for text in self.unseen]
            parts.append("\n".join(["Not looked at:", *lines]))
        return "\n\n".join(parts)

    __repr__ = __str__  # a notebook shows what stands last in a cell


def finding(kind, where, says, sure, level="finding"):
    """Return a finding with the advice and the link of its kind."""
    anchor, do = ADVICE[kind]
    return Finding(kind, level, sure, tuple(where), says, do, f"{CLINIC}#{anchor}")


def note(kind, where, says, sure="certain"):
    """Return the same for what is harmless."""
    return finding(kind, where, says, sure, level="note")


def named(names, most=3):
    """Write names of modules, no more than a few of them."""
    shown = [repr(name) if name else "the model itself" for name in names[:most]]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(shown) + more


def counted(number, one, many=None):
    """Write a number and its noun: "no notes", "1 note", "2 notes"."""
    return f"{number or 'no'} {one if number == 1 else many or one + 's'}"


def _wrap(text):
    return textwrap.fill(text, WIDTH, initial_indent="  ", subsequent_indent="  ")
