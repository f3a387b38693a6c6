// What counts as the same word: spelling, plurals and endings, Greek letters, the names
// of the norms. Texts and questions go through the same door.
window.courseSearch ??= {};
(() => {
  const { stemmer } = window.searchLibrary;
  const list = (text) => text.trim().split(/\s+/);

  // No question is about these.
  const COMMON = new Set(
    list(`a an and are as at be been but by can could do does doing for from get gets had
      has have how i if in into is it its me my of on or our shall should so than that
      the their them then there these they this those to too was we were what when where
      which while who why will with would you your`),
  );
  const GREEK = {
    α: "alpha", β: "beta", γ: "gamma", δ: "delta", ε: "epsilon", η: "eta", κ: "kappa",
    λ: "lambda", μ: "mu", ρ: "rho", σ: "sigma", τ: "tau",
  };

  // One spelling for names that have several.
  const LETTER = "[\\p{L}_]";
  const alone = (name) => new RegExp(`(?<!${LETTER})${name}(?!${LETTER})`, "giu");
  const SPELLINGS = [
    [/(batch|layer|group|instance|rms|weight)[ _-]?norm(ali[sz]ation|s)?(?!\p{L})([123]d)?/giu, "$1 norm "],
    [alone("(sync)?bn"), "$1 batch norm"],
    [alone("ln"), "layer norm"],
    [alone("gn"), "group norm"],
    [/sync(hroni[sz]ed)?(?=[ _-]?batch)/giu, "sync "],
    [/fine-?tun/giu, "fine tun"],
    [/z-?scor/giu, "z scor"],
    [/pre-?activ/giu, "pre activ"],
    [/back-?prop/giu, "backprop"],
    [/[αβγδεηκλμρστ]/gu, (letter) => ` ${GREEK[letter]} `],
  ];

  // Endings that the stemmer does not know.
  const STEMS = {
    frozen: "freez", minima: "minimum", maxima: "maximum", axes: "axi", init: "initi",
    sparsiti: "spars", sparsifi: "spars", backpropag: "backprop", synchron: "sync",
    evalu: "eval", convolut: "conv", gpus: "gpu", faster: "fast",
    fastest: "fast", slower: "slow",
  };
  const stems = new Map();
  const stem = (word) => {
    if (!stems.has(word)) {
      const american = word.replace(/is(e[ds]?|ers?|ing|ations?)$/, "iz$1");
      const short = /^normaliz/.test(american) ? "norm" : american;
      const ground = /^[a-z]+$/.test(short) ? stemmer(short) : short;
      stems.set(word, STEMS[ground] ?? STEMS[word] ?? ground);
    }
    return stems.get(word);
  };

  // "bnlib.nn.reestimate" is one word and also its parts, so is "running_var".
  const WORD = /[\p{L}\p{N}_]+(?:[.'’][\p{L}\p{N}_]+)*/gu;
  const pieces = (word) => {
    const parts = /\d\.\d/.test(word) ? [] : word.split(/[._'’]+/).filter(Boolean);
    return parts.length > 1 ? [word, ...parts] : [word];
  };
  const spelled = (text) =>
    SPELLINGS.reduce((all, [before, after]) => all.replace(before, after), text);

  courseSearch.words = (text) =>
    (spelled(text).toLowerCase().match(WORD) ?? [])
      .flatMap(pieces)
      .filter((word) => !COMMON.has(word))
      .map(stem);

  // Other words for a word, in sets: who asks for one is shown the others, a bit later.
  const SETS = [
    "backprop, backward pass, gradient",
    "bessel, unbiased",
    "standardize, z-score",
    "inference, deployment, eval, prediction",
    "fuse, fold, merge",
    "conv, cnn",
    "domain, shift, source",
    "transfer, fine-tune, adapt",
    "gpu, device, ddp, rank",
    "allreduce, sent",
    "fp16, float16, fp32, float32, amp, autocast, half precision, bfloat16, bf16",
    "lr, learning rate",
    "ema, swa, averaged weights",
    "rnn, lstm, gru, recurrent",
    "transformer, attention, vit",
    "resnet, residual, skip, shortcut",
    "he, xavier, kaiming, glorot, initialize, first weights",
    "slimming, pruning",
    "sparsity, l1, lasso",
    "oom, memory",
    "overfit, regularize",
    "mistake, bug, error",
    "bad, worse, poor",
    "landscape, surface, smooth",
    "cumulative, population",
  ];
  const others = new Map();
  for (const set of SETS) {
    const members = set.split(", ").map((one) => courseSearch.words(one));
    for (const [first, ...rest] of members)
      if (!rest.length)
        others.set(first, [
          ...(others.get(first) ?? []),
          ...members.filter((other) => other[0] !== first),
        ]);
  }
  // Return lists of words, each of which may stand for a word.
  courseSearch.others = (word) => others.get(word) ?? [];

  // The words of a text that have one of these stems: [begin, end, stems] of each.
  courseSearch.marks = (text, wanted) =>
    [...text.matchAll(WORD)]
      .map((found) => [
        found.index,
        found.index + found[0].length,
        courseSearch.words(found[0]).filter((word) => wanted.has(word)),
      ])
      .filter(([, , hits]) => hits.length);
})();
