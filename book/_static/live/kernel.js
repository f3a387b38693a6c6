// Python, in a worker: takes cells one after the other, and can be ended at any time.

const folder = document.querySelector("script[data-pyodide]").dataset.pyodide;

export const LOST = "Python could not be loaded. Is there a connection?";
const CRASHED =
  "Python has crashed, most likely because its memory or its stack was full, and was ended. " +
  "The next run starts it anew.";

const waiting = new Map(); // number of a task -> who hears of it
const listeners = new Set(); // who hears that Python has ended
let worker = null;
let ready = false;
let count = 0;

export const isReady = () => ready;
// Calls `listener` when Python has ended, until what is returned is called.
export function onEnd(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

// Starts Python, so that it is there when the reader has written something.
export function start() {
  if (worker) return;
  worker = new Worker(new URL("worker.mjs", import.meta.url), { type: "module" });
  worker.onerror = (event) => {
    event.preventDefault?.();
    stop(ready ? CRASHED : LOST);
  };
  worker.onmessage = ({ data }) => {
    if (data.kind === "ready") ready = true;
    else if (data.kind === "broken") stop(data.started ? CRASHED : LOST);
    else waiting.get(data.id)?.(data);
  };
  worker.postMessage({ task: "start", folder: new URL(folder, location.href).href });
}

// Resolves to "ok", "error", "skipped", "stopped" or "lost"; `hear` gets all messages.
export function execute(task, hear) {
  start();
  return new Promise((resolve) => {
    const id = ++count;
    waiting.set(id, (message) => {
      if (message.kind !== "done") return hear(message);
      waiting.delete(id);
      resolve(message.went);
    });
    worker.postMessage({ id, ...task });
  });
}

// Ends the worker: the only way out of a loop that never ends.
export function stop(text = "Stopped.") {
  const went = text === LOST ? "lost" : "stopped";
  worker?.terminate();
  worker = null;
  ready = false;
  for (const tell of [...waiting.values()]) {
    tell({ kind: "text", text: `${text}\n` });
    tell({ kind: "done", went });
  }
  for (const listener of listeners) listener();
}
