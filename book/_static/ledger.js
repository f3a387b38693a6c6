/* The filter of the ledger: three lists, a count that is read aloud, and all of the
   measurements at once. Without this script every row is there, unfiltered. */

(function () {
  "use strict";
  const table = document.getElementById("ledger");
  if (!table) return;
  const text = (node) => node.textContent.trim();
  const rows = [...table.querySelectorAll("tr.ledger-claim")].map((row) => ({
    row,
    verdict: [...row.querySelectorAll(".verdict-badge")].map(text),
    article: [...row.querySelectorAll(".articles a")].map(text),
    chapter: [text(row.parentElement.querySelector(".ledger-chapter a"))],
  }));
  const form = document.createElement("form");
  form.className = "ledger-filter";
  form.setAttribute("aria-label", "Filter the claims");
  const lists = {};
  for (const kind of ["verdict", "article", "chapter"]) {
    const values = [...new Set(rows.flatMap((one) => one[kind]))];
    if (values.length < 2) continue;
    const label = document.createElement("label");
    const list = (lists[kind] = document.createElement("select"));
    list.add(new Option("all", ""));
    values.forEach((value) => list.add(new Option(value, value)));
    label.append(kind[0].toUpperCase() + kind.slice(1) + " ", list);
    form.append(label);
  }
  const button = (words, action) => {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = words;
    made.addEventListener("click", action);
    form.append(made);
    return made;
  };
  button("Show all", () => {
    form.reset();
    show();
  });
  const fold = button("Open measurements", () => {
    const open = fold.textContent.startsWith("Open");
    table.querySelectorAll("details").forEach((one) => (one.open = open));
    fold.textContent = (open ? "Close" : "Open") + " measurements";
  });
  const count = document.createElement("output");
  count.setAttribute("aria-live", "polite");
  form.append(count);

  function show() {
    let shown = 0;
    for (const one of rows) {
      const fits = Object.entries(lists).every(
        ([kind, list]) => !list.value || one[kind].includes(list.value)
      );
      one.row.hidden = !fits;
      shown += fits;
    }
    for (const body of table.tBodies)
      body.hidden = !body.querySelector("tr.ledger-claim:not([hidden])");
    count.textContent = shown + " of " + rows.length + " claims";
  }

  function unfold() {
    const row = document.getElementById(location.hash.slice(1));
    const inside = row && row.matches("tr.ledger-claim") && row.querySelector("details");
    if (inside) inside.open = true;
  }

  form.addEventListener("change", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  (table.closest(".pst-scrollable-table-container") || table).before(form);
  window.addEventListener("hashchange", unfold);
  show();
  unfold();
})();
