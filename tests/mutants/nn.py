"""Bugs of the modules: five layers, variants, re-estimation, several processes."""

from tests.mutants.mutant import Mutant

BASE, LAYERS = "bnlib/nn/base.py", "bnlib/nn/layers.py"
VARIANTS, SYNC = "bnlib/nn/variants.py", "bnlib/nn/sync.py"
NOISY = "bnlib/lab/noisy.py"
STATISTICS = "bnlib/nn/statistics.py"
OF_LAYERS, OF_VARIANTS = "tests/nn/test_layers.py", "tests/nn/test_variants.py"
CONVERTED = "tests/nn/test_sync.py -k convert"
OF_SYNC, OF_HALF = "tests/nn/test_sync.py", "tests/nn/test_half.py"
OF_TOOLS, OF_STATISTICS = "tests/nn/test_tools.py", "tests/nn/test_statistics.py"

MUTANTS = [
    Mutant(
        "M1",
        BASE,
        "(1 - new) * widened(running) + new * seen",
        "new * widened(running) + (1 - new) * seen",
        OF_LAYERS,
    ),
    Mutant("M2", BASE, "_version = 2  #", "_version = 1  #", OF_LAYERS),
    Mutant(
        "M3", BASE, "(count / (count - 1)))", "(count / max(count - 1, 2)))", OF_LAYERS
    ),
    Mutant(
        "M4", BASE, "    @torch.no_grad()\n    def _move", "    def _move", OF_LAYERS
    ),
    Mutant(
        "M5", BASE, "torch.rsqrt(var + eps)", "1 / (torch.sqrt(var) + eps)", OF_LAYERS
    ),
    Mutant("M6", BASE, "if count == 1:", "if count < 0:", OF_LAYERS),
    Mutant(
        "M7",
        BASE,
        "return 1 / self.num_batches_tracked.item()",
        "return 1 / (self.num_batches_tracked.item() + 1)",
        OF_LAYERS,
    ),
    Mutant(
        "M8",
        BASE,
        "        super().reset_parameters()\n        self.reset_running_stats()",
        "        super().reset_parameters()",
        OF_LAYERS,
    ),
    Mutant("M9", BASE, "own - {x.dtype, widened(x).dtype}", "set()", OF_LAYERS),
    Mutant(
        "M10",
        LAYERS,
        "return 0.0 if self.momentum is None else",
        "return 0.1 if self.momentum is None else",
        OF_LAYERS,
    ),
    Mutant(
        "M11",
        STATISTICS,
        "isinstance(batch, tuple | list) and",
        "isinstance(batch, tuple) and",
        OF_LAYERS,
    ),
    Mutant("M12", STATISTICS, "total.unbiased_var", "total.var", OF_LAYERS),
    Mutant("M13", STATISTICS, "x = in_float64(x)", "pass", OF_LAYERS),
    Mutant(
        "M14",
        STATISTICS,
        "hook.remove()",
        "pass",
        OF_LAYERS,
    ),
    Mutant("M15", LAYERS, "torch.finfo(x.dtype).eps if", "1e-5 if", OF_LAYERS),
    Mutant(
        "M16",
        BASE,
        "if old and self.num_batches_tracked is not None:",
        "if self.num_batches_tracked is not None:",
        OF_LAYERS,
    ),
    Mutant(
        "M17",
        BASE,
        "if old and self.num_batches_tracked is not None:",
        "if False:",
        OF_LAYERS,
    ),
    Mutant(
        "M18",
        BASE,
        "if self.track_running_stats and self.running_mean is not None:",
        "if self.running_mean is not None:",
        OF_LAYERS,
    ),
    Mutant("M19", BASE, "if count and mean.numel():", "if True:", OF_LAYERS),
    Mutant("M20", BASE, "if not x.numel():  #", "if False:  #", OF_VARIANTS),
    Mutant("M21", BASE, "self._normalized(widened(x))", "self._normalized(x)", OF_HALF),
    Mutant(
        "M22",
        BASE,
        "x.float() if x.dtype in HALF",
        "x.float() if x.dtype == HALF[0]",
        OF_HALF,
    ),
    Mutant(
        "M23",
        BASE,
        "per_channel(widened(self.running_var)",
        "per_channel((self.running_var)",
        OF_HALF,
    ),
    Mutant("M24", BASE, "* widened(running)", "* running", OF_HALF),
    Mutant(
        "M25",
        LAYERS,
        "BatchNorm(TrackedNorm, TorchBatchNorm)",
        "BatchNorm(TrackedNorm)",
        OF_TOOLS,
    ),
    Mutant("M26", STATISTICS, "in_float64(x)", "x.double()", OF_STATISTICS),
    Mutant(
        "M27", STATISTICS, "if sound.all() and part.count:", "if True:", OF_STATISTICS
    ),
    Mutant(
        "M28", STATISTICS, "if not value.isfinite().all():", "if False:", OF_STATISTICS
    ),
    Mutant(
        "M29",
        STATISTICS,
        "enumerate(loader, start=1)",
        "enumerate(loader)",
        OF_STATISTICS,
    ),
    Mutant(
        "M30", STATISTICS, "norm.num_batches_tracked.zero_()", "pass", OF_STATISTICS
    ),
    Mutant(
        "V9",
        VARIANTS,
        "if not (self.training and x.numel()):",
        "if not self.training:",
        OF_VARIANTS,
    ),
    Mutant("V1", VARIANTS, "var * (count / (count - 1))", "var", OF_VARIANTS),
    Mutant(
        "V2",
        VARIANTS,
        "mean.split(1), var.split(1)",
        "mean.split(1)[::-1], var.split(1)[::-1]",
        OF_VARIANTS,
    ),
    Mutant("V3", VARIANTS, "var = (sqrt(pi / 2)", "var = (sqrt(2 / pi)", OF_VARIANTS),
    Mutant("V4", VARIANTS, "sqrt(pi * log(4))", "sqrt(pi * log(2))", OF_VARIANTS),
    Mutant("V5", NOISY, "* self.r_sigma", "* self.r_sigma * 1.05", OF_VARIANTS),
    Mutant(
        "V6",
        NOISY,
        "if not self.training:\n            return y",
        "if False:\n            return y",
        OF_VARIANTS,
    ),
    Mutant(
        "V7", VARIANTS, 'if self.update == "each" else', "if True else", OF_VARIANTS
    ),
    Mutant(
        "V8",
        NOISY,
        "shift = mu + torch.empty_like(y)",
        "shift = mu + torch.empty_like(channel)",
        OF_VARIANTS,
    ),
    Mutant("X1", SYNC, "2 * (x - mean) * d_var", "(x - mean) * d_var", OF_SYNC),
    Mutant(
        "X2",
        SYNC,
        "if module not in done:",
        "if True:",
        OF_SYNC,
    ),
    Mutant("X4", SYNC, "type(layer).forward in PLAIN_FORWARDS", "True", CONVERTED),
    Mutant("X5", SYNC, "        for name in self.behind:", "        if 0:", CONVERTED),
    Mutant("X3", SYNC, "    new.training = layer.training\n", "", OF_SYNC),
    Mutant(
        "tanh-scaled-outside",
        VARIANTS,
        "torch.tanh(self.alpha * x)",
        "self.alpha * torch.tanh(x)",
        OF_VARIANTS,
    ),
    Mutant(
        "tanh-alpha-for-each",
        VARIANTS,
        "torch.full((1,), float(alpha), **kind)",
        "torch.full(self.normalized_shape, float(alpha), **kind)",
        OF_VARIANTS,
    ),
    Mutant(
        "tanh-reset-forgets-alpha",
        VARIANTS,
        "nn.init.constant_(self.alpha, self.start)",
        "nn.init.constant_(self.alpha, 0.5)",
        OF_VARIANTS,
    ),
    Mutant(
        "tanh-any-alpha",
        VARIANTS,
        "isfinite(alpha) and alpha > 0",
        "isfinite(alpha)",
        OF_VARIANTS,
    ),
    Mutant(
        "tanh-in-float32",
        VARIANTS,
        'name in ("device", "dtype")',
        'name in ("device",)',
        OF_VARIANTS,
    ),
    Mutant(
        "transformer-looks-ahead",
        "bnlib/lab/models.py",
        "later.triu(1)",
        "later.triu(2)",
        "tests/lab/test_models.py",
    ),
    Mutant(
        "transformer-norm-on-the-stream",
        "bnlib/lab/models.py",
        "return Residual(nn.Sequential(norms(width), *branch))",
        "return Residual(nn.Sequential(*branch), norms(width))",
        "tests/lab/test_models.py",
    ),
]
