// What a reader leaves on a page, kept in this browser only: predictions, and which
// sections were read. And in the contents bar the section that is on the screen.
(() => {
  "use strict";
  const PREFIX = "batch-normalization-measured:"; // as in live/store.js
  const SECONDS = 10; // that a section is on the screen before it counts as read
  const root = new URL(document.documentElement.dataset.content_root ?? "./", location.href);
  const name = (address) => new URL(address, location.href).pathname.slice(root.pathname.length).replace(/\.html$/, "");
  const here = name(location.href);
  const all = (selector, parent = document) => [...parent.querySelectorAll(selector)];
  const make = (tag, properties, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };

  // A browser may refuse to keep anything.
  const attempt = (what) => {
    try {
      return what();
    } catch {
      return undefined;
    }
  };
  const read = (key) => attempt(() => JSON.parse(localStorage.getItem(PREFIX + key)));
  const write = (key, entry) => attempt(() => (localStorage.setItem(PREFIX + key, JSON.stringify(entry)), true));
  const erase = (key) => attempt(() => localStorage.removeItem(PREFIX + key));

  // --- predictions ----------------------------------------------------------------------

  const forms = all(".predict-form").map(prepare);
  const count = make("p", { className: "predict-count", hidden: true });
  if (forms.length) document.querySelector("article")?.append(count);
  paintCount();

  function paintCount() {
    const kept = forms.filter((form) => form.isKept()).length;
    const yours = make("a", { href: new URL("book/your-data.html", root).href }, "Your data");
    count.hidden = !kept;
    count.replaceChildren(`${kept} of ${forms.length} predictions of this page answered. They stay in this browser: `, yours, ".");
  }

  function prepare(form) {
    const key = `predict:${form.dataset.name}`;
    const box = form.parentElement;
    const parts = all("[data-part]", form).map((element) => ({ ...JSON.parse(element.dataset.part), element }));
    const [keep, note] = [form.querySelector("button"), form.querySelector("output")];
    let answer = box.nextElementSibling; // further down where cells stand before it
    while (answer && !(answer.matches("details") && answer.textContent.trim().startsWith("Answer"))) answer = answer.nextElementSibling;
    const near = answer === box.nextElementSibling;
    let said = null; // one line of text for each part
    const erased = make("button", { type: "button", hidden: true, onclick: () => (forget(), box.querySelector("input, select").focus()) }, "Erase it");
    keep.after(" ", erased);
    const lines = make("div", { className: "predict-said" });

    const value = ({ element }) => {
      const checked = element.querySelector(":checked:not(option)");
      const fields = checked ? [checked] : all("input:not([type=radio]), select", element);
      return fields.map((field) => field.value.trim());
    };
    function fill({ element }, values) {
      const radio = all("[type=radio]", element);
      for (const one of radio) one.checked = one.value === values[0];
      if (!radio.length) all("input, select", element).forEach((field, i) => (field.value = values[i]));
    }

    function line({ right, near, measured, claim, at, element }, values) {
      const ask = element.querySelector("legend, span");
      const asked = ask.className ? "" : `${ask.textContent}: `;
      const unit = near ? element.querySelector("label").lastChild.textContent : "";
      const words = [`${asked}you said ${near ? values[0] + unit : `“${values.join(", ")}”`}`];
      const number = Number(values[0]);
      const fits = near ? near[0] <= number && number <= near[1] : right?.join() === values.join();
      if (measured) words.push(`measured ${measured}`);
      else if (right && !fits) words.push(`the answer is “${right.join(", ")}”`);
      if (near || right) words.push(fits ? (near ? "close" : "as it came out") : "not what you expected");
      const text = words.join(" · ");
      const link = claim ? [" · ", make("a", { href: `#${at}` }, `claim ${claim}`)] : [];
      return make("p", {}, text[0].toUpperCase() + text.slice(1), ...link);
    }

    function show(values) {
      said = values;
      for (const field of all("input, select", form)) {
        field.disabled = true;
        if (field.checked) field.closest("label").classList.add("predict-chosen");
      }
      keep.hidden = true;
      erased.hidden = false;
      lines.replaceChildren(...parts.map((part, i) => line(part, values[i])));
      answer?.querySelector("summary").after(lines);
    }

    function forget() {
      erase(key);
      reset();
    }

    function reset() {
      said = null;
      for (const field of all("input, select", form)) field.disabled = false;
      for (const label of all(".predict-chosen", form)) label.classList.remove("predict-chosen");
      form.reset();
      keep.hidden = false;
      erased.hidden = true;
      note.textContent = "";
      lines.remove();
      paintCount();
    }

    function save() {
      const values = parts.map(value);
      const question = box.querySelector("p").textContent.replace(/^Predict\.\s*/, "");
      const entry = { said: values, question, at: `${here}.html#${box.id}`, date: new Date().toISOString() };
      note.textContent = write(key, entry) ? "Kept in this browser." : "This browser keeps nothing: it lasts as long as the page.";
      show(values);
      paintCount();
    }

    form.onsubmit = (event) => {
      event.preventDefault();
      if (said) return;
      save();
      if (!near || !answer) return erased.focus();
      answer.open = true;
      answer.querySelector("summary").focus();
    };
    // No option has two places.
    form.onchange = () => {
      for (const { element } of parts) {
        const chosen = all("select", element);
        const double = chosen.find((one, i) => one.value && chosen.slice(0, i).some((other) => other.value === one.value));
        for (const one of chosen) one.setCustomValidity(one === double ? "Choose each of them once." : "");
      }
    };
    // Who unfolds the answer has answered, if the fields are filled in.
    answer?.addEventListener("toggle", () => answer.open && !said && form.checkValidity() && save());

    function load() {
      const entry = read(key);
      if (entry?.said?.length === parts.length) {
        parts.forEach((part, i) => fill(part, entry.said[i]));
        show(entry.said);
      } else if (said) reset();
    }
    load();
    return { isKept: () => Boolean(said), load };
  }

  // --- sections -------------------------------------------------------------------------

  const bar = document.getElementById("course-contents");
  const header = document.querySelector(".bd-header-article");
  const sections = (bar ? all("a[href^='#']", bar) : [])
    .map((link) => ({ link, element: document.getElementById(decodeURIComponent(link.hash.slice(1))), seconds: 0 }))
    .filter(({ element }) => element);
  const top = () => (header?.getBoundingClientRect().bottom ?? 0) + 100; // where a link lands
  let current = null;

  // The innermost section that stands at the top of the view. The last ones may be too
  // short to get there: then it is the one that was asked for.
  function find() {
    const end = scrollY + innerHeight >= document.documentElement.scrollHeight - 2;
    const asked = end && sections.find(({ link }) => link.hash === location.hash);
    if (asked && asked.element.getBoundingClientRect().top < innerHeight) return asked;
    const line = top();
    return sections.findLast(({ element }) => {
      const box = element.getBoundingClientRect();
      return box.top <= line && box.bottom > line;
    });
  }

  function mark() {
    const found = find();
    if (found === current) return;
    current?.link.removeAttribute("aria-current");
    for (const one of all(".active", bar)) one.classList.remove("active");
    current = found;
    if (!found) return;
    found.link.setAttribute("aria-current", "true");
    found.link.classList.add("active");
    for (let entry = found.link.parentElement; entry !== bar; entry = entry.parentElement)
      if (entry.matches("li")) entry.classList.add("active");
    const scroller = bar.closest(".bd-sidebar-secondary"); // the mark stays in sight
    const [box, frame] = [found.link.getBoundingClientRect(), scroller.getBoundingClientRect()];
    if (box.top < frame.top || box.bottom > frame.bottom) scroller.scrollTop += box.top - frame.top - frame.height / 2;
  }

  let due = false;
  const soon = () => {
    if (!due) requestAnimationFrame(() => ((due = false), mark()));
    due = true;
  };
  if (sections.length) {
    for (const event of ["scroll", "resize", "hashchange"]) addEventListener(event, soon, { passive: true });
    new ResizeObserver(soon).observe(document.querySelector("article")); // and calls it now
  }

  // --- sections that were read ----------------------------------------------------------

  const key = `read:${here}`;
  // Where there is something to do: chapters.
  const counts = sections.length && document.querySelector(".predict-form, .exercise-card");
  let known = new Set();

  function tick() {
    if (document.hidden) return;
    for (const section of sections) {
      const { top, bottom } = section.element.getBoundingClientRect();
      if (bottom < 0 || top > innerHeight || known.has(section.link.hash)) continue;
      section.seconds += 1;
      if (bottom <= innerHeight) section.end = true;
      if (!section.end || section.seconds < SECONDS) continue;
      known.add(section.link.hash);
      write(key, { read: [...known], of: sections.length, date: new Date().toISOString() });
      paint();
    }
  }

  function put(link, text, label) {
    link.querySelector(".reader-read")?.remove();
    if (!text) return;
    const mark = make("span", { className: "reader-read", role: "img", ariaLabel: label, title: label }, text);
    link.append(mark);
  }

  function paint() {
    const entry = read(key);
    if (entry !== undefined) known = new Set(entry?.read); // else nothing can be kept
    for (const { link } of sections) put(link, known.has(link.hash) && "✓", "read");
    for (const link of all(".bd-links a")) {
      const { read: done, of } = read(`read:${name(link.href)}`) ?? {};
      if (!done?.length) put(link);
      else if (done.length >= of) put(link, "✓", "read");
      else put(link, "◐", `${done.length} of ${of} sections read`);
    }
  }

  paint();
  if (counts) setInterval(tick, 1000);
  // Another tab, or the page on which all of it can be erased.
  addEventListener("storage", () => (forms.forEach((form) => form.load()), paintCount(), paint()));
})();
