"""Bugs of folding, of slimming and of what both ask about modules."""

from tests.mutants.mutant import Mutant

PAIR, MODEL = "bnlib/fold/pair.py", "bnlib/fold/model.py"
PRUNING, CONSTANTS = "bnlib/slimming/pruning.py", "bnlib/slimming/constants.py"
WIRING, SIZE = "bnlib/slimming/wiring.py", "bnlib/slimming/size.py"
MODULES = "bnlib/modules.py"
OF_FOLD, OF_PRUNING = "tests/fold/test_fold.py", "tests/slimming/test_pruning.py"
OF_BLOCKS = "tests/slimming/test_blocks.py"
OF_WIRING, OF_SIZE = "tests/slimming/test_wiring.py", "tests/slimming/test_size.py"
OF_MODULES, OF_STATISTICS = "tests/test_modules.py", "tests/nn/test_statistics.py"

MUTANTS = [
    # --- two modules folded into one ---
    Mutant("F1", PAIR, "any(k > 1 for k", "all(k > 1 for k", OF_FOLD),
    Mutant("F2", PAIR, " or module._forward_pre_hooks", "", OF_FOLD),
    Mutant(
        "F3",
        PAIR,
        "(layer.bias - bn.running_mean) * scale",
        "layer.bias * scale - bn.running_mean * scale",
        OF_FOLD,
    ),
    Mutant(
        "F4",
        PAIR,
        "torch.rsqrt(bn.running_var + bn.eps)",
        "1 / (bn.running_var.sqrt() + bn.eps)",
        OF_FOLD,
    ),
    Mutant(
        "F5",
        PAIR,
        "isinstance(layer, TRANSPOSED_CONVOLUTIONS):  #",
        "False:  #",
        OF_FOLD,
    ),
    Mutant(
        "F6",
        PAIR,
        "requires_grad=trainable)\n    layer.bias",
        ")\n    layer.bias",
        OF_FOLD,
    ),
    Mutant("F7", PAIR, "bias = bias + layer.bias", "bias = bias", OF_FOLD),
    Mutant(
        "F8",
        PAIR,
        'layer.padding_mode != "zeros"',
        'layer.padding_mode == "circular"',
        OF_FOLD,
    ),
    Mutant(
        "F9", PAIR, "if not relative_difference(bn(x), want)[1]:", "if False:", OF_FOLD
    ),
    Mutant("F10", MODULES, " and type(module).forward is kind.forward", "", OF_FOLD),
    Mutant("F12", PAIR, "for reach in (2, 100):", "for reach in (2,):", OF_FOLD),
    Mutant("F11", PAIR, "    refuse_poisoned(bn)\n", "", OF_FOLD),
    # --- folding a whole model ---
    Mutant("G10", MODEL, "    refuse_poisoned(model)\n", "", OF_FOLD),
    Mutant("G11", MODEL, "    refuse_not_finite(output)\n", "", OF_FOLD),
    Mutant("G1", MODEL, "if not to_rounding:", "if difference > 1e-4:", OF_FOLD),
    Mutant("G2", MODEL, "[n for n in called if n in names] + names", "names", OF_FOLD),
    Mutant(
        "G3",
        MODEL,
        'if side == "before" and any(len(n.users)',
        "if any(len(n.users)",
        OF_FOLD,
    ),
    Mutant(
        "G4",
        MODEL,
        "if strict and isinstance(reason, WouldBeWrong)",
        "if isinstance(reason, WouldBeWrong)",
        OF_FOLD,
    ),
    Mutant(
        "G5",
        MODEL,
        "if not len(near) == len(calls) == uses:",
        "if not len(near) == len(calls):",
        OF_FOLD,
    ),
    Mutant(
        "G6",
        MODEL,
        "folded, rehearsal = copied(model), copied(model)",
        "folded, rehearsal = copied(model), model",
        OF_FOLD,
    ),
    Mutant("G7", MODEL, "nn.Identity().eval()", "nn.Identity()", OF_FOLD),
    Mutant("G8", MODEL, "ranks.get(name, 2) != 2", "False", OF_FOLD),
    Mutant("G9", MODEL, "    _renumber(folded)\n    return", "    return", OF_FOLD),
    Mutant("G12", MODEL, "{name, calls[0].target}:", "{name}:", OF_FOLD),
    Mutant("G13", MODEL, "if rest is not None and not before:", "if False:", OF_FOLD),
    Mutant(
        "G14", MODEL, "            if name not in blocks:", "            if 0:", OF_FOLD
    ),
    Mutant("G15", MODEL, "if inside and example_input is None:", "if False:", OF_FOLD),
    Mutant("G16", MODEL, "            parts += block.children()\n", "", OF_FOLD),
    Mutant("G17", MODEL, "names[part.get_submodule(owner)]}", "owner}", OF_FOLD),
    # --- pruning ---
    Mutant("S1", PRUNING, "round(ratio * len", "int(ratio * len", OF_PRUNING),
    Mutant(
        "S2", PRUNING, "g.scores[g.kept].min()", "g.scores[g.kept].max()", OF_PRUNING
    ),
    Mutant(
        "S3",
        PRUNING,
        '"*" if smallest <= self.threshold',
        '"*" if smallest > self.threshold',
        OF_PRUNING,
    ),
    Mutant("S4", PRUNING, "math.ceil(floor *", "math.floor(floor *", OF_PRUNING),
    Mutant("S5", PRUNING, "if to_rounding:", "if difference < 1e-6:", OF_PRUNING),
    Mutant(
        "S6",
        PRUNING,
        "strength * gamma.sign()",
        "strength * gamma",
        OF_PRUNING,
    ),
    Mutant(
        "S7",
        PRUNING,
        "requires_grad=value.requires_grad",
        "requires_grad=True",
        OF_PRUNING,
    ),
    Mutant(
        "S8",
        PRUNING,
        "pruned = copied(model, memo=slices)",
        "pruned = copied(model, True, slices)",
        OF_PRUNING,
    ),
    Mutant(
        "S9",
        PRUNING,
        "torch.from_numpy(sums / count)",
        "torch.from_numpy(sums / 1.0)",
        OF_PRUNING,
    ),
    Mutant(
        "S10",
        PRUNING,
        "_shapes(model) != plan.shapes:",
        "_shapes(model).keys() != plan.shapes.keys():",
        OF_PRUNING,
    ),
    Mutant(
        "S11",
        PRUNING,
        "max(1, math.ceil(floor * len(g.scores)))",
        "math.ceil(floor * len(g.scores))",
        OF_PRUNING,
    ),
    Mutant(
        "S12",
        PRUNING,
        "if is_channel_norm(m) and",
        "if isinstance(m, nn.modules.batchnorm._BatchNorm) and",
        OF_PRUNING,
    ),
    Mutant(
        "S13",
        PRUNING,
        "refuse_poisoned(model)\n    wiring = t",
        "wiring = t",
        OF_PRUNING,
    ),
    Mutant(
        "S20",
        PRUNING,
        "refuse_poisoned(model)\n    wiring = p",
        "wiring = p",
        OF_PRUNING,
    ),
    Mutant("S14", PRUNING, "        refuse_not_finite(want)\n", "", OF_PRUNING),
    Mutant("S21", PRUNING, "refuse_not_finite(want)\n    before", "before", OF_PRUNING),
    Mutant(
        "S15",
        PRUNING,
        "    if wiring.by_mode:\n",
        "    if False:\n",
        OF_BLOCKS,
    ),
    Mutant(
        "S16",
        PRUNING,
        "if not (better or relative_difference(got, want)[1]):",
        "if False:",
        OF_BLOCKS,
    ),
    Mutant("S17", PRUNING, "if last and not", "if False and not", OF_BLOCKS),
    Mutant("S18", PRUNING, "slices[id(value)] =", "module._x =", OF_BLOCKS),
    Mutant(
        "S22",
        PRUNING,
        "for readers in (False, True):",
        "for readers in (False,):",
        OF_BLOCKS,
    ),
    Mutant("S23", PRUNING, "if wiring.by_mode:", "if wiring.unseen:", OF_BLOCKS),
    Mutant(
        "S19",
        PRUNING,
        "gamma.clamp(-amount, amount)",
        "amount * gamma.sign()",
        OF_PRUNING,
    ),
    # --- what dead channels say ---
    Mutant(
        "D1",
        CONSTANTS,
        "requires_grad=trainable)",
        "requires_grad=True)",
        OF_PRUNING,
    ),
    Mutant(
        "D2",
        CONSTANTS,
        "if readers == {n for n",
        "if readers & {n for n",
        OF_PRUNING,
    ),
    Mutant(
        "D3",
        CONSTANTS,
        "norm.running_mean -= response",
        "norm.running_mean += response",
        OF_PRUNING,
    ),
    Mutant("D4", CONSTANTS, "norm.weight * (~dead).to(norm", "(norm", OF_BLOCKS),
    Mutant("D7", CONSTANTS, "if sum(held) > 1:", "if False:", OF_BLOCKS),
    Mutant("D9", CONSTANTS, "(worst or [", "([", OF_BLOCKS),
    Mutant("D8", CONSTANTS, "            if lost:", "            if False:", OF_BLOCKS),
    Mutant(
        "D5",
        CONSTANTS,
        "if readers == {n for n",
        "if readers <= {n for n",
        OF_PRUNING,
    ),
    Mutant(
        "D6",
        CONSTANTS,
        "for part in parts]).mean(0)",
        "for part in parts]).sum(0)",
        OF_PRUNING,
    ),
    # --- the walk along the channels ---
    Mutant("W1", WIRING, " GELU ", " ", OF_WIRING),
    Mutant("W2", WIRING, "    ZeroPad1d ZeroPad2d ZeroPad3d", "   ", OF_WIRING),
    Mutant("W3", WIRING, ' maximum"', '"', OF_WIRING),
    Mutant("W4", WIRING, "return axis % ndim if", "return axis if", OF_WIRING),
    Mutant("W5", WIRING, "and shape[:2] == before[:2]", "", OF_WIRING),
    Mutant(
        "W6",
        WIRING,
        "for other in wide[1:]:",
        "for other in wide[2:]:",
        OF_WIRING,
    ),
    Mutant(
        "W7",
        WIRING,
        'parts = n.args[0] if n.args else n.kwargs["tensors"]',
        "parts = n.all_input_nodes",
        OF_WIRING,
    ),
    Mutant("W8", WIRING, "if fits else self._refuse(n, shape)", "", OF_WIRING),
    Mutant(
        "W9", WIRING, "_repeat(ids, shape[1] // len(ids))\n\n", "ids\n\n", OF_WIRING
    ),
    Mutant("W10", WIRING, "raw = set(ids) - self.silent", "raw = set()", OF_PRUNING),
    Mutant("W11", WIRING, 'by_one = "mul" in _name(n)', "by_one = True", OF_PRUNING),
    Mutant("W12", WIRING, "range(groups if groups > 1 else 0)", "range(0)", OF_BLOCKS),
    Mutant("W13", WIRING, "    walk.tie(model)\n", "", OF_BLOCKS),
    Mutant("W14", WIRING, "        walk.go_on(", "        str(", OF_BLOCKS),
    Mutant(
        "W15", WIRING, "self.whole.setdefault(n.target, sentence)", "pass", OF_BLOCKS
    ),
    Mutant("W16", WIRING, "    return torch.equal(", "    return (", OF_BLOCKS),
    Mutant("W17", WIRING, "if is_parametrized(module):", "if False:", OF_WIRING),
    # --- sizes ---
    Mutant(
        "Q1",
        SIZE,
        "parameters = sum(p.numel() for p in model.parameters())",
        "parameters = sum(row[3] for row in rows)",
        OF_SIZE,
    ),
    Mutant(
        "Q2",
        SIZE,
        "sum(macs.values()) // len(first)",
        "sum(macs.values())",
        OF_SIZE,
    ),
    Mutant(
        "Q3",
        SIZE,
        "        for hook in hooks:\n            hook.remove()",
        "        pass",
        OF_SIZE,
    ),
    Mutant(
        "Q4", SIZE, "flops.get_total_flops() // 2", "flops.get_total_flops()", OF_SIZE
    ),
    Mutant("Q5", SIZE, "model.eval()(*inputs)", "model(*inputs)", OF_SIZE),
    Mutant(
        "Q6",
        SIZE,
        "        note()\n        running.append",
        "        running.append",
        OF_SIZE,
    ),
    # --- what is asked of modules ---
    Mutant("U14", MODULES, "if exported or", "if False and", OF_SIZE),
    Mutant("U15", MODULES, "if not self.get_on:", "if True:", OF_BLOCKS),
    Mutant(
        "U1",
        MODULES,
        "            module.training = mode",
        "            pass",
        OF_MODULES,
    ),
    Mutant("U2", MODULES, " and not by_example", "", OF_MODULES),
    Mutant(
        "U3", MODULES, "math.nan if any(map(math.isnan, errors)) else ", "", OF_MODULES
    ),
    Mutant("U4", MODULES, "for w in want]\n", "for w in want[:1]] * 9\n", OF_MODULES),
    Mutant(
        "U5",
        MODULES,
        "        value = value.values()",
        "        value = list(value)",
        OF_MODULES,
    ),
    Mutant("U11", MODULES, "if not relative_difference(got, w", "if 0 and (w", OF_FOLD),
    Mutant("U12", MODULES, " or hooks:", ":", OF_FOLD),
    Mutant(
        "U13",
        MODULES,
        "product((False, True), (2, 100))",
        "product((False,), (2, 100))",
        "tests/nn/test_sync.py -k convert",
    ),
    Mutant("U9", MODULES, "(values >= 0) & ", "", OF_MODULES),
    Mutant("U16", MODULES, " & (values + norm.eps > 0)", "", OF_MODULES),
    Mutant("U17", MODULES, "v.clone() if torch.is_tensor(v) else v", "v", OF_FOLD),
    Mutant("U10", MODULES, "x if x.is_cuda else x.cpu()", "x", OF_STATISTICS),
    Mutant(
        "U6", MODULES, "if is_channel_norm(m) or is_layer", "if is_layer", OF_MODULES
    ),
    Mutant(
        "U7",
        MODULES,
        "if [t.shape for t in got] != [t.shape for t in want]:",
        "if len(got) != len(want):",
        OF_MODULES,
    ),
    Mutant(
        "U8",
        MODULES,
        "    try:\n        yield model\n    finally:\n",
        "    yield model\n    if True:\n",
        OF_MODULES,
    ),
]
