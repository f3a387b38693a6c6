"""What is said after a right answer: why it is right, and another way to write it.

By name of the exercise; one that states ``why`` and ``another`` itself needs no entry.
The other way is an expression of the arguments, of ``np`` and of ``torch``, and the
tests judge it like any answer.
"""

REASONS = {
    "z-score": (
        "A column is constant if its largest and smallest value are equal. That "
        "comparison has no rounding; a standard deviation that should be 0 often has.",
        "np.nan_to_num((x - x.mean(0)) / np.where(np.ptp(x, 0) > 0, x.std(0), np.inf))",
    ),
    "train-test": (
        "The model learns the units of the training set, so both sets have to be "
        "written in them, whatever the test set's own mean is.",
        "",
    ),
    "raw-units": (
        "w (x - mean) / std + b is linear in x: what multiplies x is the new weight, "
        "and the rest is the new bias.",
        "w / std, b - np.sum(w * mean / std)",
    ),
    "best-step": (
        "Each axis shrinks by |1 - step * curvature|. The flattest axis wants a larger "
        "step and the steepest a smaller one; best is where both shrink alike.",
        "2 / (np.linalg.norm(hessian, 2) + np.linalg.norm(hessian, -2))",
    ),
    "importance": (
        "An example counts as often as its group is found there for each time that it "
        "is found here. The weighted groups then have the other set's shares.",
        "len(group) * share[group]\n/ np.bincount(group, minlength=len(share))[group]",
    ),
    "forward": (
        "Mean and variance have shape (C,), so NumPy lines them up with the columns "
        "of x. Its variance is divided by N: it describes the batch, not a population.",
        "(x - x.mean(0)) * (gamma / np.sqrt(x.var(0) + eps)) + beta",
    ),
    "batch_norm_images": (
        "Axis 1 alone is left, because all positions of all images use the same "
        "weights. keepdims keeps what lines up with x from wandering to the width.",
        "",
    ),
    "output_std": (
        "Only the division and gamma change a spread. A variance far above eps "
        "cancels, one far below it stays small, and a sign mirrors without widening.",
        "np.sqrt(gamma**2 * std**2 / (std**2 + eps))",
    ),
    "variance": (
        "Nearly equal numbers are subtracted while they are small, so that no digit is "
        "lost. Squares of large numbers have lost them before the subtraction.",
        "np.square(x - x.mean()).mean()",
    ),
    "identity_parameters": (
        "gamma cancels the division and beta the subtraction. So the layer can undo "
        "one mean and one spread, those of a single batch.",
        "(x.var(0) + eps) ** 0.5, x.sum(0) / len(x)",
    ),
    "center_backward": (
        "Each value reaches the loss twice: straight through, and through the mean, "
        "which hands 1/N of minus the sum to every row.",
        "d_centered - d_centered.mean(axis=0)",
    ),
    "batch_norm_backward": (
        "The two sums that beta and gamma need are the ones that d_x needs as well: "
        "one takes the push along 1 out, the other the push along x_hat.",
        "",
    ),
    "parameter_gradients": (
        "One gamma serves every image and every pixel of its channel, so its gradient "
        "is a sum over all axes but the channel's.",
        'np.einsum("nchw,nchw->c", d_y, x_hat), np.einsum("nchw->c", d_y)',
    ),
    "expose": (
        "Only the directions 1 and x_hat are blind. A random direction lies along "
        "neither, so it sees what is missing in both.",
        "x_hat**3 + np.arange(len(x_hat))[:, None]",
    ),
    "gradient_agrees": (
        "A wrong gradient has the right slope along one random direction only by "
        "accident, and a tolerance relative to the slope fits large and tiny ones.",
        "",
    ),
    "update_running": (
        "momentum weighs the new batch. What is remembered is an estimate for all "
        "data, so its variance is divided by N - 1.",
        "",
    ),
    "keras_momentum": (
        "Each batch leaves momentum of what was there, so momentum**half_life must be "
        "one half.",
        "np.exp(-np.log(2) / half_life)",
    ),
    "merge_batches": (
        "Each batch brings its own spread and, squared, its distance from the common "
        "mean. Averaging the variances would forget the distance.",
        "",
    ),
    "batch_norm_step": (
        "Training uses the batch, biased to normalize and unbiased to remember; "
        "evaluation uses what was remembered and leaves no trace.",
        "",
    ),
    "fold_linear": (
        "In evaluation the layer is one factor and one shift for each output, and "
        "those fit into a row of the weight and an entry of the bias.",
        "",
    ),
    "speed_up": (
        "Each net is measured at its own best rate, and by a median, which one lucky "
        "or one failed seed does not move.",
        "",
    ),
    "turning_angle": (
        "A row that is scale times as long gets a gradient scale times as short, at a "
        "right angle to it: the tangent of the angle falls with scale squared.",
        "",
    ),
    "explosion": (
        "On the way back slopes multiply the gradient, and the norm divides by the "
        "spread of phi. Their ratio is what a layer does to a gradient's size.",
        "np.linalg.norm(dphi) / np.sqrt(len(dphi)) / phi.std()",
    ),
    "gradient_shift": (
        "Only the layers below have moved: the batch and all other weights are the "
        "same, so the angle between the two gradients is due to them alone.",
        "",
    ),
    "effective_smoothness": (
        "Both gradients are of one loss, with the same batch and noise. Otherwise the "
        "difference would measure the noise and not the loss.",
        "",
    ),
    "filter_normalize": (
        "Batch norm makes the length of a filter meaningless, so a step is measured in "
        "it, filter by filter; vectors have no such freedom and stay.",
        "",
    ),
    "saturated_share": (
        "tanh has slope 1 - h^2 and at most 1, sigmoid h (1 - h) and at most 1/4: both "
        "are written in h, relative to their largest slope.",
        "np.mean((1 - h**2 if activation == 'tanh' else 1 - (2 * h - 1) ** 2) < 0.1)",
    ),
    "useless_biases": (
        "A constant is taken out by the next norm if it gets there as a constant. "
        "Max pooling and linear layers pass it on, zero padding breaks it at the edge.",
        "",
    ),
    "drop_bias": (
        "In training the batch mean takes the bias out by itself. Only the stored mean "
        "still contains it.",
        "beta + 0, running_mean - np.asarray(bias)",
    ),
    "residual_block": (
        "In the pre-activation block x is handed on as it came, whatever the branch "
        "does; in the other one each block ends in a ReLU of the sum.",
        "",
    ),
    "initial_gammas": (
        "With gamma 0 in the last norm the block starts as the identity. A ReLU after "
        "the zero would get exactly 0 and pass no gradient to it.",
        "",
    ),
    "norm_by_axes": (
        "Seen as (N, G, C / G, H, W), every kind is a choice among five axes. Nothing "
        "else distinguishes the four layers.",
        "",
    ),
    "rms_norm": (
        "Each token is divided by its own root mean square; nothing is centered, so a "
        "common offset of the features stays.",
        "gamma * x / np.sqrt((x * x).mean(-1, keepdims=True) + eps)",
    ),
    "coupling": (
        "Two examples depend on each other if they enter the same mean, and only batch "
        "statistics put examples into one mean.",
        "",
    ),
    "batch_for_spread": (
        "The spread of a mean falls with the square root of the batch, so half the "
        "spread needs four times the batch.",
        "batch * spread**2 / wanted**2",
    ),
    "ghost_step": (
        "With one more axis, for the ghosts, it is batch norm again; the running "
        "statistics are the mean over the ghosts.",
        "",
    ),
    "far_apart": (
        "A distance between the means adds to the variance of the whole and to that of "
        "no part, so averaged variances cannot show it.",
        "np.zeros(n), np.ones(n)",
    ),
    "merge_parts": (
        "The sum of squares around the common mean has two shares: within the parts, "
        "and between them. Each part is weighed by its count.",
        "",
    ),
    "backward_part": (
        "The means of the forward pass belong to all ranks, so the two sums of the "
        "backward pass run over all ranks, too: 2C numbers are sent.",
        "",
    ),
    "sync_running_var": (
        "The variance is one of all values, so it is made unbiased with the count of "
        "all values; the rank has no part in it.",
        "running_var * (1 - momentum)\n"
        "+ momentum * var * sum(counts) / (sum(counts) - 1)",
    ),
    "loss_factor": (
        "Each example must weigh the same. The factor is the rank's share of the "
        "examples, with the wrapper's division by the number of ranks undone.",
        "counts[rank] / np.mean(counts)",
    ),
    "adapt": (
        "Momentum 1 keeps nothing of the old statistics, training mode writes the new "
        "ones, and a copy leaves the given net alone.",
        "",
    ),
    "shifted_statistics": (
        "A convolution is linear, so a gain multiplies its outputs, and an offset "
        "reaches them through the sum of the weights. A variance sees only the gain.",
        "",
    ),
    "blend": (
        "The share of the new statistics is that of the new images among all that are "
        "counted; a prior is so many images that are imagined.",
        "",
    ),
    "trainable": (
        "The module knows what it is. A name may be anything, and a shape does not "
        "tell gamma from the bias of a linear layer.",
        "",
    ),
    "freeze": (
        "There are two switches: eval() stops the statistics and requires_grad_(False) "
        "stops gamma and beta. Each alone leaves the other moving.",
        "",
    ),
    "l1_strength": (
        "The penalty moves gamma at a constant speed, so the way is strength times the "
        "sum of the rates, longer by 1 / (1 - momentum).",
        "gamma / (np.sum(lr) / (1 - momentum))",
    ),
    "kept_channels": (
        "Who may go at all is settled first, layer by layer; those are ranked "
        "together, so that one threshold holds for the whole net.",
        "",
    ),
    "prune_pair": (
        "A channel is a row of the first weight (axis 0) and an input of the second "
        "(axis 1), with the norm's numbers between them.",
        "weight_1[kept], mean[kept], var[kept], np.compress(kept, weight_2, axis=1)",
    ),
    "absorb_mean": (
        "A dead channel still puts out relu(beta), the same everywhere. The next norm "
        "subtracts its mean, so that is where the constant can go.",
        "",
    ),
    "work_left": (
        "Every output reads every input at each position, so the work of a layer is a "
        "product of two widths: half the channels, a quarter of the work.",
        "",
    ),
    "worse_divided": (
        "Without centering, a division by a small standard deviation makes the mean "
        "large in units of the spread, and the column nearly a multiple of the ones.",
        "1 + np.arange(n) / (20 * n)",
    ),
    "breaking_mean": (
        "float32 rounds a square near mean**2 by about 6e-8 of it, and what is left "
        "after the subtraction is only std**2: the ratio of the two decides.",
        "std * 1300.0",
    ),
    "other_batch": (
        "One gamma restores one spread. A batch with another spread is pulled to that "
        "of a, although its mean is right.",
        "4 * a - 3 * a.mean(axis=0)",
    ),
    "false_gradient": (
        "With both losses the right gradient is 0, and any multiple of 0 passes. Only "
        "a direction in which something is pushed can tell.",
        "",
    ),
    "passed_share": (
        "Of n directions two are lost, 1 and x_hat. A random gradient has the n-th "
        "part of its squared length in each, and lengths are roots.",
        "(1 - 2 / n) ** 0.5",
    ),
    "blind_order": (
        "The variance of all is that within the batches plus that between them. "
        "Sorted, neighbors are alike, and nearly all of it lies between.",
        "sorted(range(len(values)), key=lambda i: values[i])",
    ),
    "poison": (
        "A weight of 0.1 bounds the share of a batch, not its size: a tenth of a "
        "number 1600 times too large is still 160 times. In pairs the means do not "
        "move.",
        "",
    ),
    "fair_baseline": (
        "The slow start belongs to the sigmoid. With another unit, at a rate of its "
        "own, most of the factor is gone before any norm comes in.",
        "",
    ),
    "best_rate": (
        "A best rate at the end of a grid only says where the grid stopped. Who "
        "overflows has lost, however good the other seeds are.",
        "",
    ),
    "flatter": (
        "The norm forgets the length of each row, so a long weight computes the same, "
        "and a push of fixed length turns it less. Flatness in this sense is a choice.",
        "weight * factor",
    ),
    "invisible": (
        "One scale for all features is divided out by the norm, and one row added to "
        "all examples is subtracted with the mean: the linear layer passes both on.",
        "",
    ),
    "norm_free_rate": (
        "Each block adds its variance to the stream, so gradients grow with depth by a "
        "constant factor, and the rate that works falls by it.",
        "",
    ),
    "past_only": (
        "Each row uses rows up to itself and no other, so what is still to come cannot "
        "change it. The last row alone may use them all, and so looks right either "
        "way.",
        "",
    ),
    "leaky_layer": (
        "One pair of an output and a token says nothing about the others. Change each "
        "token in turn and look at all earlier outputs.",
        "np.concatenate([x[:, 1:], x[:, :1]], axis=1)",
    ),
    "tokens_worth": (
        "A mean of correlated values scatters like one of fewer values. Beyond 1 / r "
        "tokens, a longer document adds next to nothing.",
        "",
    ),
    "tanh_backward": (
        "Every number goes its own way, so no sum over others enters d_x: what batch "
        "norm takes away from a gradient, two directions, is left in it here.",
        "",
    ),
    "clip_units": (
        "A step then moves no unit by more than a share of itself, whatever the size "
        "of its weights. Only long gradients are touched.",
        "",
    ),
    "lucky_parts": (
        "A norm sees a batch through its mean and its spread. Parts that agree in both "
        "are normalized alone as in the whole.",
        "",
    ),
    "tuned_prior": (
        "What was chosen on the test set is no longer judged by it. The validation set "
        "chooses, on average over the seeds, and the test set only reports.",
        "",
    ),
    "steps_to_zero": (
        "Once under way, gamma moves by strength * lr / (1 - momentum) a step; the "
        "momentum needs some steps to get there, which are lost.",
        "",
    ),
    "border_share": (
        "A constant is constant only where no padding is read: everywhere but in a "
        "ring of width 1.",
        "4 * (side - 1) / side**2",
    ),
    "standardize": (
        "Both numbers are read before anything is overwritten. The popular test looks "
        "at train alone, which is right in either case.",
        "",
    ),
    "image_norm": (
        "Subtracted while they are small, numbers far from zero lose no digits. "
        "Standard normal images lie near zero, where both formulas agree.",
        "",
    ),
    "staged_backward": (
        "The derivative of v**-0.5 has the power -1.5, so 1/s stands there cubed. "
        "Where s is 1, all powers are the same: test with another spread.",
        "",
    ),
    "stored_variance": (
        "The division undoes a start at 0, and only that one. A test of the values "
        "after one, two and ten steps sees the start; after a thousand it is gone.",
        "",
    ),
    "advantage": (
        "Each side is judged at the rate that its owner would choose. A common rate "
        "measures whose rate it is.",
        "np.max(np.mean(bn, 1)) - np.max(np.mean(plain, 1))",
    ),
    "losses_on_line": (
        "Each point is counted from the same theta. Moved in place, the second step "
        "begins where the first one ended, which a single step cannot show.",
        "[loss(theta - a * direction) for a in steps]",
    ),
    "pre_block": (
        "The skip carries x as it came. An in-place activation at the front of the "
        "branch changes it for the sum as well.",
        "",
    ),
    "group_norm": (
        "A group is a run of neighboring channels, so the groups come first in the "
        "reshape. With one group, or one channel in each, no order can be seen.",
        "",
    ),
    "merge_moments": (
        "An example weighs the same wherever it lies, so a rank weighs as much as it "
        "has examples. With equal counts both averages agree.",
        "",
    ),
    "reestimate_norms": (
        "Only a pass in training mode writes, and momentum None after a reset weighs "
        "all batches alike.",
        "",
    ),
    "slim_step": (
        "The gradient of |gamma| is its sign, as strong near 0 as far from it. That of "
        "gamma**2 fades with gamma, and nothing ever arrives.",
        "gamma - lr * grad - lr * strength * np.sign(gamma)",
    ),
    "standard_filters": (
        "A filter is what makes one output channel. Standardized by itself it has no "
        "say in the size of its output, however large its weights are.",
        "(w - w.mean((1, 2, 3), keepdims=True))\n"
        "/ np.sqrt(w.var((1, 2, 3), keepdims=True) + eps)",
    ),
}
