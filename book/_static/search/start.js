// Load the search when a reader wants it: nothing before the field has the focus, or
// before a section that was found is opened and its words are to be marked.
(() => {
  const folder = document.currentScript.src.replace(/[^/]*$/, "");
  const wanted = {};

  const load = (name) =>
    (wanted[name] ??= new Promise((done, failed) => {
      const isStyle = name.endsWith(".css");
      const node = document.createElement(isStyle ? "link" : "script");
      if (isStyle) Object.assign(node, { rel: "stylesheet", href: folder + name });
      else node.src = folder + name;
      Object.assign(node, { onload: done, onerror: failed });
      document.head.append(node);
    }));

  // One after the other, as each needs those before it.
  const loadAll = async (names) => {
    for (const name of names) await load(name);
  };

  let isBegun = false;
  const search = async () => {
    if (isBegun) return;
    isBegun = true;
    load("sections.js"); // the largest by far, so begin with it
    await loadAll(["search.css", "library.js", "words.js", "field.js"]);
    courseSearch.attach(new URL("../../", folder));
    await loadAll(["sections.js", "ranking.js"]);
    await courseSearch.build();
    courseSearch.ready();
  };

  const isField = (node) => node?.matches?.("form.bd-search input");
  document.addEventListener("focusin", (event) => isField(event.target) && search());

  const asked = new URLSearchParams(location.search);
  if (asked.has("q")) search(); // on the page for it
  if (asked.has("find"))
    loadAll(["search.css", "library.js", "words.js", "landing.js"]);
})();
