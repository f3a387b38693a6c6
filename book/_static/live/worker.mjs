// Python for the page, in a thread of its own: a loop that never ends cannot freeze the
// page, which stops it by ending this worker.

const here = new URL(".", import.meta.url);
let python, kernel, page;

async function start(folder) {
  const packed = fetch(new URL("bnlib.zip", here)).then((got) => {
    if (!got.ok) throw new Error("bnlib did not arrive.");
    return got.arrayBuffer();
  });
  packed.catch(() => {}); // the await below tells of it
  const { loadPyodide } = await import(new URL("pyodide.mjs", folder));
  python = await loadPyodide({
    indexURL: folder,
    packages: ["numpy"],
    env: { HOME: "/home/reader", MPLBACKEND: "module://bnlive.figures" },
  });
  if (!python.loadedPackages.numpy) throw new Error("NumPy did not arrive.");
  const target = python.runPython("import site; site.getsitepackages()[0]");
  python.unpackArchive(await packed, "zip", { extractDir: target });
  kernel = python.pyimport("bnlive.cells");
  page = kernel.Page();
  postMessage({ kind: "ready" });
}

async function load(code, tell) {
  const messageCallback = (text) => /^Loading .*matplotlib/.test(text) && tell("loading", "Matplotlib");
  await python.loadPackagesFromImports(code, { messageCallback });
}

const tasks = {
  async exercise({ answer, check, imports, solved }, tell) {
    const needed = kernel.imports_for(imports, `${answer}\n${check}`);
    await load(`${needed}\n${answer}`, tell);
    return kernel.judge(needed, answer, check, python.toPy(solved), tell);
  },
  async cell({ code, name }, tell) {
    await load(code, tell);
    return page.run(code, name, tell);
  },
};

// Python catches what its cells raise. What arrives here is the end of this worker.
const broken = (error) =>
  postMessage({ kind: "broken", started: Boolean(page), text: String(error?.message ?? error) });
onunhandledrejection = ({ reason }) => broken(reason); // Pyodide waits for ever without its wasm

let last;
onmessage = ({ data }) => {
  const { id, task } = data;
  if (task === "start") {
    last = start(data.folder).catch(broken);
    return;
  }
  const tell = (kind, text) => postMessage({ id, kind, text });
  last = last
    .then(() => (tell("running"), tasks[task](data, tell)))
    .then((went) => postMessage({ id, kind: "done", went }))
    .catch(broken);
};
