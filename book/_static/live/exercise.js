// An exercise that is answered on the page.
import { Output, bar, button, edit, imports, make, source, status } from "./cell.js";
import * as kernel from "./kernel.js";
import * as store from "./store.js";

const NOT_KEPT =
  "This browser keeps nothing (is this a private window?): your answer lasts as long as this page.";
const CHANGED =
  "The exercise has changed since you began. Your answer is kept; Reset takes the new starter.";

export async function open({ starter, name }, closed) {
  const check = starter.nextElementSibling;
  const heading = starter.closest("section").querySelector("h2, h3, h4").firstChild.textContent;
  const [, number, title] = heading.match(/(\S+) · (.*)/);
  const original = source(starter);
  const kept = store.answer(name);
  let begun = kept?.starter ?? original; // the starter that this answer began with
  let before = null; // what Reset took away
  let busy = false;

  const output = new Output(check);
  output.show(false);
  const said = status();
  const solved = make("span", { className: "live-solved" });
  const notes = make("div", { className: "live-notes", ariaLive: "polite" });
  const hints = followers(check).filter(isHint);
  const editor = await edit(starter, kept?.code ?? original, {
    label: `Your answer to exercise ${number} · ${title}`,
    run,
    changed,
  });

  const go = button("Check", () => (busy ? kernel.stop() : run()), "live-run");
  const reset = button("Reset", resetOrUndo);
  const hint = hints.length ? [button("Hint", nextHint)] : [];
  const tools = bar(`Exercise ${number}`, go, ...hint, reset, button("Close", close), solved, said);
  check.querySelector(".cell_input").after(tools, notes);
  const others = store.onOtherTab(heard);
  if (!store.isKept()) note(NOT_KEPT);
  if (begun !== original) note(CHANGED);
  mark();
  editor.focus();
  kernel.start(); // while the reader types

  async function run() {
    if (busy) return;
    busy = true;
    go.textContent = "Stop";
    said.textContent = "Loading Python …";
    output.clear();
    const task = {
      task: "exercise",
      imports: imports(),
      answer: editor.text(),
      check: source(check),
      solved: store.solved(),
    };
    const went = await kernel.execute(task, hear);
    busy = false;
    go.textContent = went === "lost" ? "Try again" : "Check";
    const verdict = output.text.match(/^[✔✘○] Exercise .*$/gm)?.at(-1);
    said.textContent = verdict ?? (output.text.trim().split("\n").at(-1) || "It has run.");
    if (/^✔/.test(verdict) && editor.text() === task.answer && begun !== original) {
      begun = original; // right for the exercise as it is now
      changed();
      note("");
    }
  }

  function hear({ kind, text }) {
    if (kind === "running") said.textContent = "Checking …";
    if (kind === "loading") said.textContent = `Loading ${text} …`;
    if (kind === "text") output.print(text);
    if (kind === "figure") output.draw(text);
    if (kind === "table") output.table(text);
    if (kind === "solved") {
      for (const [one] of JSON.parse(text)) store.saveSolved(one);
      mark();
    }
  }

  function changed() {
    const code = editor.text();
    if (code === original) store.eraseAnswer(name);
    else store.saveAnswer(name, { code, starter: begun, number, title });
    if (!store.isKept()) note(NOT_KEPT);
    if (before !== null && code !== original) {
      before = null;
      reset.textContent = "Reset";
    }
  }

  function resetOrUndo() {
    if (before === null) {
      const lost = { code: editor.text(), begun };
      begun = original;
      editor.replace(original);
      note("");
      if (lost.code === original) return;
      before = lost;
      reset.textContent = "Undo reset";
      said.textContent = "The starter is back.";
    } else {
      const { code } = before;
      begun = before.begun;
      editor.replace(code);
      said.textContent = "Your answer is back.";
    }
  }

  function nextHint() {
    const next = hints.find((one) => !one.open);
    if (!next) said.textContent = "All hints are open.";
    const shown = next ?? hints.at(-1);
    shown.open = true;
    shown.querySelector("summary").focus();
  }

  function mark() {
    solved.textContent = store.solvedOn(name) ? "✔ Solved" : "";
  }

  function note(text, ...buttons) {
    notes.replaceChildren(...(text ? [make("p", {}, text), ...buttons] : []));
  }

  // The later writing wins, and what the other tab wrote is offered.
  function heard(key = name, entry = store.answer(name)) {
    mark();
    if (key !== name || entry?.code === editor.text()) return;
    const keep = button("Keep this one", () => (changed(), note(""), editor.focus()));
    if (!entry) {
      if (editor.text() !== original) note("Another tab has erased this answer.", keep);
      return;
    }
    const take = button("Take that one", () => {
      begun = entry.starter ?? original;
      editor.replace(entry.code);
      note("");
      editor.focus();
    });
    note("Another tab has just changed this answer.", take, keep);
  }

  function close() {
    if (busy) kernel.stop();
    others.abort();
    editor.close();
    tools.remove();
    notes.remove();
    output.show(false);
    closed();
  }
}

// The elements after one, up to the next cell.
function followers(element) {
  const found = [];
  for (let next = element.nextElementSibling; next && !next.matches(".cell"); next = next.nextElementSibling)
    found.push(next);
  return found;
}

const isHint = (element) =>
  element.matches("details") && /^\s*Hint/.test(element.querySelector("summary")?.textContent);
