"""Bugs of the training loop and of ensembles."""

from tests.mutants.mutant import Mutant

TRAIN, ENSEMBLE = "bnlib/lab/train.py", "bnlib/lab/ensemble.py"
OF_TRAIN, OF_ENSEMBLE = "tests/lab/test_train.py", "tests/lab/test_ensemble.py"

MUTANTS = [
    Mutant("T1", TRAIN, "order[: n - n % batch_size]", "order", OF_TRAIN),
    Mutant("T2", TRAIN, "& ~scores.isnan().any(1)", "", OF_TRAIN),
    Mutant("T3", TRAIN, "torch.default_generator.manual_seed(seed)", "pass", OF_TRAIN),
    Mutant(
        "T4", TRAIN, "if interrupted and step + 1 < steps:", "if interrupted:", OF_TRAIN
    ),
    Mutant("T5", TRAIN, "torch.set_num_threads(threads)", "pass", OF_TRAIN),
    Mutant(
        "T6",
        TRAIN,
        "    update.zero_grad()  # a trained",
        "    pass  # a trained",
        OF_TRAIN,
    ),
    Mutant("T7", TRAIN, "model.eval()", "pass", OF_TRAIN),
    Mutant(
        "T8",
        ENSEMBLE,
        "parameter.sub_(old).mul_(rate).add_(old)",
        "parameter.sub_(old).mul_(rate[0]).add_(old)",
        OF_ENSEMBLE,
    ),
    Mutant("T9", ENSEMBLE, "torch.set_flush_denormal(before)", "pass", OF_ENSEMBLE),
]
