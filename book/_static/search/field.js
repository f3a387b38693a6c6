// The search field: what is found stands below it while one types, as the options of a
// combobox; the arrow keys choose, Enter opens, Escape closes.
(() => {
  const LONGEST = 180; // characters of an excerpt
  const IN_DIALOG = 8;
  const ON_PAGE = 40;
  const fields = [];
  let root;
  let isReady = false;

  const make = (name, properties, ...children) => {
    const node = Object.assign(document.createElement(name), properties);
    node.append(...children);
    return node;
  };

  // Text with the words in question marked, as a list of nodes.
  const marked = (text, wanted) => {
    const nodes = [];
    let end = 0;
    for (const [from, to] of courseSearch.marks(text, wanted)) {
      nodes.push(text.slice(end, from), make("mark", {}, text.slice(from, to)));
      end = to;
    }
    return [...nodes, text.slice(end)];
  };

  // The paragraph that holds most of the words, cut so that they are seen.
  // Of a claim, its beginning: that is the verdict.
  const excerpt = ({ body, kind }, wanted) => {
    let best = { text: body.split("\n")[0], count: 0, at: 0 };
    for (const text of body.split("\n")) {
      const marks = courseSearch.marks(text, wanted);
      const count = new Set(marks.flatMap(([, , hits]) => hits)).size;
      if (count > best.count) best = { text, count, at: marks[0][0] };
    }
    const { text, at } = best;
    if (text.length <= LONGEST) return text;
    const isEarly = at < LONGEST / 2 || kind === "claim";
    const from = isEarly ? 0 : text.lastIndexOf(" ", at - LONGEST / 4) + 1;
    const part = text.slice(from, from + LONGEST);
    const whole = from + LONGEST < text.length;
    return (from ? "… " : "") + (whole ? part.replace(/\s+\S*$/, " …") : part);
  };

  const option = (hit, id) => {
    const wanted = new Set(hit.terms);
    const url = new URL(hit.address, root);
    url.searchParams.set("find", hit.terms.slice(0, 20).join(" "));
    url.hash = hit.anchor;
    const part = (name, ...children) =>
      make("span", { className: `course-hit-${name}` }, ...children);
    const children = [part("heading", ...marked(hit.heading, wanted))];
    if (hit.kind !== "page") children.push(part("page", hit.title));
    children.push(part("text", ...marked(excerpt(hit, wanted), wanted)));
    return make(
      "a",
      { id, href: url.href, role: "option", tabIndex: -1, className: "course-hit" },
      ...children,
    );
  };

  const said = (question, count, shown) => {
    if (!question) return "";
    if (!count) return "Nothing found";
    if (count > shown) return `${shown} of ${count} sections, best first`;
    return count === 1 ? "1 section" : `${count} sections, best first`;
  };

  class Field {
    constructor(form) {
      this.input = form.querySelector("input");
      this.dialog = form.closest("dialog");
      this.most = this.dialog ? IN_DIALOG : ON_PAGE;
      const name = this.dialog ? "course-hits-dialog" : "course-hits-page";
      this.count = make("p", { className: "course-count", role: "status" });
      this.list = make("div", { id: name, role: "listbox", className: "course-hits" });
      this.list.ariaLabel = "Sections found";
      this.list.hidden = true;
      this.more = make("a", { className: "course-more", hidden: true }, "Show more");
      const place = make("div", { className: "course-found" });
      place.append(this.count, this.list, this.more);
      if (this.dialog) form.after(place);
      else document.getElementById("search-results").replaceChildren(place);

      const isCombobox = {
        role: "combobox",
        "aria-autocomplete": "list",
        "aria-controls": name,
        "aria-expanded": "false",
      };
      for (const [key, value] of Object.entries(isCombobox))
        this.input.setAttribute(key, value);
      this.input.addEventListener("input", () => this.show());
      this.input.addEventListener("keydown", (event) => this.press(event));
      this.list.addEventListener("click", () => this.dialog?.close());
    }

    show() {
      const question = this.input.value.trim();
      if (!isReady) {
        this.count.textContent = question && "Loading the index …";
        return;
      }
      const hits = question ? courseSearch.find(question) : [];
      const options = hits
        .slice(0, this.most)
        .map((hit, i) => option(hit, `${this.list.id}-${i}`));
      this.list.replaceChildren(...options);
      this.list.hidden = !options.length;
      this.list.scrollTop = 0;
      this.count.textContent = said(question, hits.length, options.length);
      this.more.hidden = !this.dialog || hits.length <= options.length;
      this.more.href = new URL(`search.html?q=${encodeURIComponent(question)}`, root);
      this.input.setAttribute("aria-expanded", String(options.length > 0));
      this.question = question;
      this.choose(0);
    }

    choose(place) {
      const options = this.list.children;
      this.chosen = options[(place + options.length) % (options.length || 1)];
      for (const one of options) one.ariaSelected = String(one === this.chosen);
      this.input.setAttribute("aria-activedescendant", this.chosen?.id ?? "");
      this.chosen?.scrollIntoView({ block: "nearest" });
    }

    press(event) {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!isReady || event.isComposing) return;
      if (step && this.chosen) {
        this.choose([...this.list.children].indexOf(this.chosen) + step);
        event.preventDefault();
      } else if (event.key === "Enter") {
        if (this.question !== this.input.value.trim()) this.show();
        this.chosen?.click();
        event.preventDefault();
      }
    }
  }

  courseSearch.attach = (base) => {
    root = base;
    for (const form of document.querySelectorAll("form.bd-search"))
      fields.push(new Field(form));
    const asked = new URLSearchParams(location.search).get("q");
    for (const field of fields)
      if (!field.dialog) {
        field.input.value ||= asked ?? "";
        field.input.focus(); // the theme gives the focus to a field in a closed dialog
      }
  };

  courseSearch.ready = () => {
    isReady = true;
    for (const field of fields) if (field.input.value) field.show();
  };
})();
