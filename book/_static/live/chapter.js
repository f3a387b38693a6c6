// A page whose cells run, in their order and in one Python.
import { Output, bar, button, edit, make, source, status } from "./cell.js";
import * as kernel from "./kernel.js";

const TEXT = {
  ok: "Done.",
  skipped: "Skipped.",
  error: "An error.",
  stopped: "Stopped. What is needed runs again.",
  lost: kernel.LOST,
};

export function open({ cells, line }, closed) {
  const said = status();
  const ran = new Set(); // cells that this Python has run as they stand
  const all = [...cells].map(prepare);
  let busy = null; // the button that says Stop meanwhile

  const runAll = button("Run all", () => (busy ? kernel.stop() : run(all, runAll)), "live-run");
  const restart = button("Restart", () => {
    kernel.stop();
    said.textContent = "Python starts anew: nothing has run.";
    kernel.start();
  });
  const tools = bar("This page", runAll, restart, button("Close", close), said);
  tools.append(make("span", { className: "live-help" }, "Run also runs the cells above that have not run yet. Changes are not kept."));
  const end = kernel.onEnd(() => ran.clear());
  line.after(tools); // where the button stood
  runAll.focus();
  kernel.start();

  // Runs cells one after the other until one fails. `go` is the button that was pressed.
  async function run(wanted, go) {
    if (busy) {
      said.textContent = "Python is busy: stop it, or wait.";
      return;
    }
    busy = go;
    const verb = go.textContent;
    go.textContent = "Stop";
    let went = "ok";
    const count = { ok: 0, skipped: 0 };
    for (const [index, cell] of wanted.entries()) {
      said.textContent = kernel.isReady()
        ? `Running ${cell.name}${wanted.length > 1 ? `, ${index + 1} of ${wanted.length}` : ""} …`
        : "Loading Python …";
      went = await cell.execute();
      if (!(went in count)) break;
      count[went] += 1;
    }
    busy = null;
    go.textContent = verb;
    const skipped = count.skipped ? `, ${count.skipped} skipped` : "";
    const failed = wanted[count.ok + count.skipped]?.name;
    if (went in count) said.textContent = wanted.length > 1 ? `${count.ok} cells have run${skipped}.` : TEXT[went];
    else said.textContent = went === "error" ? `An error in ${failed}: the rest was not run.` : TEXT[went];
    return went;
  }

  function prepare(cell, index) {
    const name = `cell ${index + 1}`;
    const original = source(cell);
    const output = new Output(cell);
    output.show(false);
    const state = status(false);
    let editor = null;

    const above = () => all.slice(0, index);
    const pending = () => [...above().filter((one) => !ran.has(one)), own];
    const go = button("Run", () => (busy === go ? kernel.stop() : run(pending(), go)));
    const change = button("Edit", open);
    const rest = [
      button("Run all above", () => run([...above(), own], go)),
      button("Reset", () => (editor?.replace(original), editor?.focus())),
      button("Show the published output", toggle),
    ];
    const [before, reset, published] = rest;
    for (const one of rest) one.hidden = true;
    const fold = cell.querySelector("details.course-fold");
    if (fold) fold.open = true; // what runs is seen
    const tools = bar(`Cell ${index + 1}`, go, change, ...rest, state);
    cell.querySelector(".cell_input").after(tools);
    const own = { name, execute, close: shut };
    return own;

    async function execute() {
      state.textContent = "Running …";
      output.clear();
      published.hidden = !output.stored;
      published.textContent = "Show the published output";
      const task = { task: "cell", code: editor?.text() ?? original, name };
      const went = await kernel.execute(task, ({ kind, text }) => {
        if (kind === "loading") state.textContent = `Loading ${text} …`;
        if (kind === "text") output.print(text);
        if (kind === "figure") output.draw(text);
        if (kind === "table") output.table(text);
      });
      // A cell that compares with PyTorch may do nothing where there is none.
      if (went === "ok" && !output.text && cell.matches(".live-torch"))
        output.print("Skipped: it needs PyTorch, which does not run in a browser.\n");
      // A picture that can be dragged is alive as it was published.
      if (went === "ok" && output.isEmpty() && cell.querySelector("[data-explore]")) {
        output.show(false);
        published.hidden = true;
      }
      state.textContent = TEXT[went];
      if ((went === "ok" || went === "skipped") && task.code === (editor?.text() ?? original)) ran.add(own);
      return went;
    }

    async function open() {
      change.textContent = "Loading …";
      try {
        editor = await edit(cell, original, {
          label: `Code of cell ${index + 1}`,
          run: () => run(pending(), go),
          changed: () => ran.delete(own),
        });
      } catch {
        change.textContent = "Try again";
        state.textContent = kernel.LOST;
        return;
      }
      change.remove();
      before.hidden = index === 0;
      reset.hidden = false;
      editor.focus();
    }

    function toggle() {
      output.show(!output.own);
      published.textContent = output.own ? "Show the published output" : "Show your output";
    }

    function shut() {
      if (fold) fold.open = false;
      editor?.close();
      tools.remove();
      output.show(false);
    }
  }

  function close() {
    if (busy) kernel.stop();
    end();
    for (const cell of all) cell.close();
    tools.remove();
    closed();
  }
}
