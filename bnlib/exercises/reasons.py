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
}
