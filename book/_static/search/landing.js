// A section that was found: its words are marked and one of them is in sight. Escape
// takes the marks away.
(() => {
  const UNMARKED = ".katex, script, style, button, .headerlink, summary";
  const BLOCKS = "p, li, tr, pre, dt, dd, figcaption";

  // What an address names: a section, or a caption, a row, an entry.
  const place = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return [...document.querySelectorAll("article section > :not(section)")]
      .filter((node) => node.parentElement.parentElement.closest("section") === null);
    return [target.textContent.trim() ? target : target.closest("section") ?? target];
  };

  const mark = (text, wanted) => {
    const found = courseSearch.marks(text.data, wanted).reverse();
    return found.map(([from, to, hits]) => {
      const node = document.createElement("mark");
      node.className = "course-mark";
      text.splitText(to);
      node.append(text.splitText(from));
      text.after(node);
      return [node, hits];
    });
  };

  const texts = (root) => {
    const isText = (node) =>
      node.parentElement.closest(UNMARKED)
        ? NodeFilter.FILTER_REJECT
        : NodeFilter.FILTER_ACCEPT;
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT, isText);
    const all = [];
    while (walker.nextNode()) all.push(walker.currentNode);
    return all;
  };

  const folds = (node) => {
    const fold = node.closest("details:not([open])");
    return fold ? [fold, ...folds(fold.parentElement)] : [];
  };

  // The block with most of the words, one that can be seen before one that is folded.
  const best = (marks) => {
    const blocks = new Map();
    for (const [node, hits] of marks) {
      const block = node.closest(BLOCKS) ?? node.parentElement;
      blocks.set(block, new Set([...(blocks.get(block) ?? []), ...hits]));
    }
    const value = ([block, hits]) => hits.size - (folds(block).length ? 1000 : 0);
    return [...blocks].sort((one, other) => value(other) - value(one))[0]?.[0];
  };

  courseSearch.land = () => {
    const asked = new URLSearchParams(location.search).get("find") ?? "";
    const wanted = new Set(asked.split(" ").filter(Boolean));
    const places = place();
    const marks = places.flatMap(texts).flatMap((text) => mark(text, wanted));
    const block = best(marks);
    for (const fold of [block, places[0]].filter(Boolean).flatMap(folds)) fold.open = true;
    if (location.hash) places[0].scrollIntoView();
    if (block && block.getBoundingClientRect().bottom > innerHeight)
      block.scrollIntoView({ block: "center" });
  };

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
    for (const node of document.querySelectorAll("mark.course-mark"))
      node.replaceWith(...node.childNodes);
  });
  courseSearch.land();
})();
