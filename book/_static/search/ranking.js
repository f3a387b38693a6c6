// Which sections answer a question, best first: headings before text before code, all
// words before some, words side by side before words apart.
(() => {
  const { MiniSearch } = window.searchLibrary;
  const { pages, rows } = window.courseSections;
  const { words, others } = courseSearch;

  const BOOSTS = { heading: 4, page: 1, body: 1, code: 0.2 };
  // Another word for a word that was asked for.
  const OTHER = 0.5;
  // How much more a section counts in which neighbors of the question are neighbors.
  const NEIGHBORS = { heading: 0.8, body: 0.6 };
  // The opening of a chapter says what it is about; what quotes or lists comes after
  // what explains, and a function after both, unless its name is asked for.
  const NAME = 0.4;
  const LIKE_CODE = /[._(]|\p{Ll}\p{Lu}/u;
  const KINDS = { page: 1.15, figure: 0.7, claim: 0.6, work: 0.35 };
  const ASIDES = /^(Further( reading)?|References)$/;
  const ASIDE = 0.4;
  const LISTS =
    /^book\/(articles|changelog|claims|exercises|figures|index|license|open-questions|teach)\.html$/;
  const LIST = 0.6;
  const RANKED = 100; // the others cannot come first
  const KIND = 1; // the places of a record's parts
  const HEADING = 3;
  const BODY = 4;

  const weights = rows.map(([page, kind, , heading]) => {
    const isList = kind !== "claim" && LISTS.test(pages[page][0]);
    return (KINDS[kind] ?? 1) * (isList ? LIST : 1) * (ASIDES.test(heading) ? ASIDE : 1);
  });

  // A page is also called as its file is: 04-inference.
  const record = ([page, kind, , heading, body, code], id) => {
    const [address, title] = pages[page];
    const name = kind === "page" ? address.replace(/^.*\/|\.html$/g, " ") : "";
    return { id, heading: `${heading} ${name}`, page: title, body, code };
  };

  const index = new MiniSearch({
    fields: Object.keys(BOOSTS),
    tokenize: words,
    processTerm: (word) => word,
  });
  const asIs = { tokenize: (word) => [word] }; // a question's words are ready

  // A word that is being written has no end yet. One that the book does not have may be
  // misspelled: near words, and those that begin alike, may be meant.
  const search = (word, isLast) => {
    const single = { combineWith: "OR", queries: [word] };
    if (word.length < 3 || /\d/.test(word)) return [single];
    if (index.search(single, asIs).length) return [{ ...single, prefix: isLast }];
    if (word.length < 5) return [{ ...single, prefix: true }];
    const beginning = word.slice(0, Math.max(4, Math.ceil(0.6 * word.length)));
    return [
      { ...single, prefix: isLast, fuzzy: 0.25 },
      { ...searchOther([beginning]), prefix: true },
    ];
  };
  const searchOther = (queries) => ({
    combineWith: "AND",
    queries,
    boostTerm: () => OTHER,
  });

  const neighbors = (sequence) =>
    sequence.slice(1).map((word, i) => `${sequence[i]} ${word}`);
  const known = new Map();
  const neighborsIn = (id, field) => {
    const key = `${id} ${field}`;
    if (!known.has(key)) known.set(key, new Set(neighbors(words(rows[id][field]))));
    return known.get(key);
  };

  courseSearch.build = () => index.addAllAsync(rows.map(record), { chunkSize: 20 });

  courseSearch.find = (question) => {
    const sequence = words(question);
    const asked = [...new Set(sequence)];
    const queries = asked.map((word, i) => ({
      combineWith: "OR",
      queries: [
        ...search(word, i === asked.length - 1),
        ...others(word).map(searchOther),
      ],
    }));
    const couples = neighbors(sequence);
    const name = LIKE_CODE.test(question) ? 1 : NAME;
    const weight = (id) => weights[id] * (rows[id][KIND] === "name" ? name : 1);

    const rank = (hit) => {
      const found = new Set(hit.queryTerms);
      const isThere = (word) =>
        [[word], ...others(word)].some((some) => some.every((one) => found.has(one)));
      const share = asked.filter(isThere).length / asked.length;
      const beside = (field) =>
        couples.filter((couple) => neighborsIn(hit.id, field).has(couple)).length /
        (couples.length || 1);
      const near =
        1 + NEIGHBORS.heading * beside(HEADING) + NEIGHBORS.body * beside(BODY);
      return { ...hit, score: hit.score * share ** 2 * near };
    };

    const hits = index.search(
      { combineWith: "OR", queries },
      { ...asIs, boost: BOOSTS, boostDocument: weight },
    );
    const ranked = hits.slice(0, RANKED).map(rank);
    ranked.sort((one, other) => other.score - one.score);
    return [...ranked, ...hits.slice(RANKED)].map(({ id, terms }) => {
      const [page, kind, anchor, heading, body] = rows[id];
      const [address, title] = pages[page];
      return { address, anchor, kind, heading, title, body, terms };
    });
  };
})();
