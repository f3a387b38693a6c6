// Answers as one file that runs elsewhere, and back.

const TITLE = "My answers to the exercises of Batch Normalization, Measured";
const ALWAYS = "from bnlib import case, check, hint, progress";
const MARK = /^# %% answer (\{.*\})$/;
const END = /^# %% check /;

// What each answer needs of the imports of its page, and has not got from one before it.
function withImports(answers, list) {
  const known = Object.fromEntries(list.exercises.map((one) => [one.name, one]));
  const given = {};
  return answers.map(([name, entry]) => {
    const exercise = known[name];
    const used = new Set(entry.code.match(/[A-Za-z_]\w*/g));
    const lines = (exercise?.imports ?? [])
      .filter(([alias, line]) => used.has(alias) && !ALWAYS.includes(` ${alias}`) && given[alias] !== line)
      .map(([alias, line]) => (given[alias] = line));
    return { name, entry, imports: lines.join("\n"), check: exercise?.check ?? "" };
  });
}

const about = (name, { number, title, starter, date }, solved) => ({ name, number, title, starter, date, solved });

// The text of a .py file. What is not yet Python stands there as a comment.
export function asScript(answers, list, solvedOn, isPython) {
  const parts = [`# ${TITLE}.\n# It needs bnlib; the page "Your data" imports it again.\n${ALWAYS}\n`];
  for (const { name, entry, imports, check } of withImports(answers, list)) {
    const runs = isPython(entry.code);
    const code = runs ? entry.code.trimEnd() : entry.code.trimEnd().replace(/^/gm, "#~ ");
    const mark = { ...about(name, entry, solvedOn(name)), ...(runs ? {} : { draft: true }) };
    if (imports) parts.push(`\n${imports}\n`);
    parts.push(`\n# %% answer ${JSON.stringify(mark)}\n${code}\n\n# %% check ${name}\n${runs ? check : "# not yet Python"}\n`);
  }
  return parts.join("");
}

// The text of a notebook.
export function asNotebook(answers, list, solvedOn) {
  const cells = [];
  const add = (cell_type, source, metadata = {}) => {
    const rest = cell_type === "code" ? { execution_count: null, outputs: [] } : {};
    const lines = source.split(/(?<=\n)/);
    cells.push({ cell_type, id: `cell-${cells.length + 1}`, metadata, ...rest, source: lines });
  };
  add("markdown", `# ${TITLE}\n\nThe page *Your data* of the course imports this file again.`);
  add("code", list.setup, { cellView: "form", jupyter: { source_hidden: true } });
  add("code", ALWAYS);
  for (const { name, entry, imports, check } of withImports(answers, list)) {
    add("markdown", `## Exercise ${entry.number} · ${entry.title}`);
    if (imports) add("code", imports);
    add("code", entry.code.trimEnd(), { bnlib: about(name, entry, solvedOn(name)) });
    if (check) add("code", check);
  }
  const metadata = {
    kernelspec: { display_name: "Python 3", language: "python", name: "python3" },
    language_info: { name: "python" },
  };
  return `${JSON.stringify({ cells, metadata, nbformat: 4, nbformat_minor: 5 }, null, 1)}\n`;
}

// The answers of such a file, as [name, { code, …, solved }]; none if it is no such file.
export function read(text) {
  try {
    return text.trimStart().startsWith("{") ? fromNotebook(JSON.parse(text)) : fromScript(text);
  } catch {
    return [];
  }
}

function fromNotebook({ cells }) {
  const ours = cells.filter(({ metadata }) => typeof metadata?.bnlib?.name === "string");
  return ours.map(({ metadata, source }) => {
    const { name, ...rest } = metadata.bnlib;
    return [name, { ...rest, code: [source].flat().join("") }];
  });
}

function fromScript(text) {
  const found = [];
  let lines = null;
  for (const line of text.split(/\r?\n/)) {
    const mark = line.match(MARK);
    if (mark) found.push([JSON.parse(mark[1]), (lines = [])]);
    else if (END.test(line)) lines = null;
    else lines?.push(line);
  }
  return found.map(([{ name, draft, ...rest }, body]) => {
    const code = body.join("\n").trimEnd();
    return [name, { ...rest, code: draft ? code.replace(/^#~ ?/gm, "") : code }];
  });
}
