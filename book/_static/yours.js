// The page "Your data": the predictions and the sections read that this browser keeps.
// Answers to exercises are listed by live/yourdata.js, where Python can run.
(() => {
  "use strict";
  const PREFIX = "batch-normalization-measured:"; // as in live/store.js and reader.js
  const section = document.querySelector("#predictions-and-sections-read");
  const root = new URL(document.documentElement.dataset.content_root ?? "./", location.href);
  const make = (tag, properties, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  const plural = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;
  const status = make("p", {});
  status.setAttribute("role", "status");
  const items = make("ul", { className: "kept-list" });
  const erase = make("button", { type: "button" }, "Erase all of these");
  section.querySelector("p").replaceWith(status, items, make("p", { className: "kept-list" }, erase));

  function entries(kind) {
    try {
      const start = `${PREFIX}${kind}:`;
      const keys = Object.keys(localStorage).filter((key) => key.startsWith(start)).sort();
      return keys.map((key) => ({ key, name: key.slice(start.length), entry: parse(localStorage.getItem(key)) }));
    } catch {
      return []; // blocked
    }
  }

  function parse(text) {
    try {
      return JSON.parse(text) ?? {};
    } catch {
      return {}; // broken, but it can be erased
    }
  }

  function row({ key, name, entry }, address, label, facts) {
    const one = make("button", { type: "button", ariaLabel: `Erase: ${label}` }, "Erase");
    one.onclick = () => {
      const at = [...items.children].indexOf(item);
      remove([key], `Erased: “${label}”.`);
      (items.children[Math.min(at, items.children.length - 1)]?.querySelector("button") ?? section.querySelector("h2 a")).focus();
    };
    const link = make("a", { href: new URL(address ?? `${name}.html`, root).href }, label);
    const item = make("li", {}, make("span", {}, link), make("span", {}, facts), one);
    return item;
  }

  function remove(keys, text) {
    for (const key of keys) localStorage.removeItem(key);
    dispatchEvent(new Event("storage")); // as if another tab had done it
    status.textContent = `${text} ${status.textContent}`;
  }

  const title = (name) => document.querySelector(`.bd-links a[href$="${name.replace(/^.*\//, "")}.html"]`)?.firstChild.textContent.trim() ?? name;

  function paint() {
    const [said, read] = [entries("predict"), entries("read")];
    const sections = read.reduce((sum, { entry }) => sum + (entry.read?.length ?? 0), 0);
    status.textContent = said.length + read.length
      ? `${plural(said.length, "prediction")}, ${plural(sections, "section")} read.`
      : "Nothing is kept here: no prediction, no section read.";
    items.replaceChildren(
      ...said.map((one) => row(one, one.entry.at, one.entry.question ?? one.name, `you said ${(one.entry.said ?? []).map((values) => values.join(", ")).join("; ")}`)),
      ...read.map((one) => row(one, null, title(one.name), `${one.entry.read?.length ?? 0} of ${plural(one.entry.of ?? 0, "section")} read`)),
    );
    erase.disabled = !(said.length + read.length);
  }

  erase.onclick = () => {
    const keys = [...entries("predict"), ...entries("read")].map(({ key }) => key);
    if (!confirm(`Erase ${status.textContent.replace(/\.$/, "")} from this browser? This cannot be undone.`)) return;
    remove(keys, "Everything in this list is erased.");
    section.querySelector("h2 a").focus();
  };
  addEventListener("storage", paint);
  paint();
})();
