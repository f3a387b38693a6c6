// The page "Your data": what this browser keeps, to see, to take along and to erase.
import { bar, button, make, status } from "./cell.js";
import { asNotebook, asScript, read } from "./export.js";
import { list, root } from "./list.js";
import * as store from "./store.js";

const LOST = "The list of exercises could not be loaded. Is there a connection?";

export function show(page) {
  const section = page.querySelector("#kept-in-this-browser");
  const box = make("div", { className: "live-data" });
  const said = status();
  const items = make("ul", { className: "live-list" });
  const notes = make("div", { ariaLive: "polite" });
  const file = make("input", { type: "file", accept: ".py,.ipynb", hidden: true, onchange: take });
  const tools = bar(
    "All answers",
    button("Export as .py", () => save("my-answers.py", "text/x-python", script)),
    button("Export as notebook", () => save("my-answers.ipynb", "application/json", notebook)),
    button("Import …", () => file.click()),
    button("Erase everything …", eraseAll),
    file,
  );
  let known = new Map(); // name -> exercise of the book

  section.querySelector("p").replaceWith(box);
  box.append(make("p", {}, said), items, notes, tools);
  store.onOtherTab(paint);
  paint();
  list().then(({ exercises }) => {
    known = new Map(exercises.map((one) => [one.name, one]));
    paint();
  }, () => (said.textContent = LOST));

  // --- the list ---------------------------------------------------------------------------

  function paint() {
    const answers = new Map(store.answers());
    const names = [...new Set([...answers.keys(), ...store.solved()])];
    items.replaceChildren(...names.sort(inOrder).map((name) => row(name, answers.get(name))));
    const solved = store.solved().length;
    said.textContent = names.length
      ? `${count(answers.size, "answer")}, ${count(solved, "solved exercise")}.`
      : "Nothing is kept here: no answer, no solved exercise.";
    const others = store.others().length;
    if (!store.isKept()) said.textContent += " This browser keeps nothing beyond this page.";
    for (const one of tools.querySelectorAll("button"))
      one.disabled = !(one.textContent.startsWith("Import") || (one.textContent.startsWith("Export") ? answers.size : names.length + others));
  }

  function inOrder(one, other) {
    const order = [...known.keys()];
    return order.indexOf(one) - order.indexOf(other) || one.localeCompare(other);
  }

  function row(name, entry) {
    const { number, title, address } = known.get(name) ?? { number: entry?.number ?? "", title: entry?.title ?? name };
    const label = `${number} · ${title}`;
    const link = address ? make("a", { href: new URL(address, root()).href }, label) : label;
    const on = store.solvedOn(name);
    const facts = [entry && `written ${day(entry.date)}`, on && `✔ solved ${day(on)}`];
    const erase = button("Erase", () => {
      store.eraseAnswer(name);
      store.eraseSolved(name);
      const undo = button("Undo", () => {
        if (entry) store.saveAnswer(name, entry);
        if (on) store.saveSolved(name, on);
        paint();
        focus(name);
      });
      paint();
      tell(`Erased: ${label}.`, undo);
      undo.focus();
    });
    erase.setAttribute("aria-label", `Erase ${label}`);
    const item = make("li", {}, make("span", {}, link), make("span", { className: "live-facts" }, facts.filter(Boolean).join(", ")), erase);
    item.dataset.name = name;
    return item;
  }

  const focus = (name) => items.querySelector(`[data-name="${name}"] button`)?.focus();
  const tell = (text, ...buttons) =>
    notes.replaceChildren(make("div", { className: "live-notes" }, make("p", {}, text), ...buttons));

  // --- out and in -------------------------------------------------------------------------

  const byOrder = () => store.answers().sort(([one], [other]) => inOrder(one, other));
  const notebook = async () => asNotebook(byOrder(), await list(), store.solvedOn);
  const script = async () => {
    const [all, { isPython }] = await Promise.all([list(), import("./editor.js")]);
    return asScript(byOrder(), all, store.solvedOn, isPython);
  };

  async function save(download, type, content) {
    try {
      const href = URL.createObjectURL(new Blob([await content()], { type }));
      make("a", { href, download }).click();
      setTimeout(() => URL.revokeObjectURL(href), 10_000);
      tell(`${download} is in your downloads.`);
    } catch {
      tell(LOST);
    }
  }

  async function take() {
    const [chosen] = file.files;
    file.value = ""; // the same file may be chosen again
    if (!chosen) return;
    const came = read(await chosen.text());
    if (!came.length) {
      tell(`No answers were found in ${chosen.name}: it must be a file that this page has exported.`);
      return;
    }
    const differ = [];
    let added = 0;
    for (const [name, { solved, ...entry }] of came) {
      const here = store.answer(name);
      if (!here) added += 1;
      if (here && here.code.trimEnd() !== entry.code.trimEnd()) differ.push([name, entry]);
      else if (!here) store.saveAnswer(name, entry);
      if (solved) store.saveSolved(name, solved);
    }
    paint();
    tell(`${chosen.name}: ${count(came.length, "answer")}, ${added} of them new.`);
    for (const [name, entry] of differ) {
      const question = make("div", { className: "live-notes" });
      const done = (text) => (question.replaceChildren(make("p", {}, text)), focus(name));
      const label = `Exercise ${entry.number}`;
      question.append(
        make("p", {}, `${label}: the answer in the file differs from the one that is kept here.`),
        button("Take the file's", () => (store.saveAnswer(name, entry), paint(), done(`${label}: taken from the file.`))),
        button("Keep this one", () => done(`${label}: kept as it was.`)),
      );
      notes.append(question);
    }
  }

  function eraseAll() {
    const dialog = make("dialog", { className: "live-dialog", ariaLabel: "Erase everything" });
    const close = () => (dialog.close(), dialog.remove());
    const erase = button("Erase everything", () => {
      store.eraseAll();
      close();
      paint();
      dispatchEvent(new Event("storage")); // for the list of predictions, yours.js
      tell("Everything is erased.");
      tools.querySelector("button:enabled").focus();
    }, "live-run");
    const rest = store.others().length ? ", all predictions and marks of sections read" : "";
    const what = (store.answers().length + store.solved().length ? said.textContent.replace(/\.$/, "") + rest : rest.slice(2));
    dialog.append(
      make("p", {}, `Erase ${what} from this browser? This cannot be undone; an export keeps the answers.`),
      bar("Erase everything", button("Keep everything", close), erase),
    );
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
  }
}

const count = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;
const day = (date) => {
  const when = new Date(date);
  return Number.isNaN(when.getTime()) ? "" : when.toLocaleDateString("en-US", { dateStyle: "medium" });
};
