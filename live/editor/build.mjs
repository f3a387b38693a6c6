// Bundles the editor into book/_static/live/editor.js, with the licenses of what is in it.
// `npm ci && npm run build`; with --check it only compares with what is committed there.
import { build } from "esbuild";
import { readFileSync, writeFileSync } from "node:fs";

const target = new URL("../../book/_static/live/", import.meta.url);
const { outputFiles, metafile } = await build({
  absWorkingDir: new URL(".", import.meta.url).pathname,
  entryPoints: ["editor.js"],
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  legalComments: "none",
  metafile: true,
  write: false,
});

// Every package of which something is in the bundle.
const inputs = Object.values(metafile.outputs)[0].inputs;
const used = Object.keys(inputs).filter((name) => inputs[name].bytesInOutput);
const found = used.map((name) => name.match(/node_modules\/((?:@[^/]+\/)?[^/]+)\//)?.[1]);
const packages = [...new Set(found)].filter(Boolean).sort();
const read = (name, file) => readFileSync(new URL(`node_modules/${name}/${file}`, import.meta.url), "utf8");
const version = (name) => JSON.parse(read(name, "package.json")).version;

// Those with the same license stand together.
const licenses = new Map();
for (const name of packages) {
  const text = read(name, "LICENSE").trim();
  licenses.set(text, [...(licenses.get(text) ?? []), `${name} ${version(name)}`]);
}
const notices = [...licenses].map(([text, names]) => `${names.join(", ")}\n\n${text}\n`);

const head = `/*!
The editor of the pages that run: CodeMirror 6, Copyright (C) Marijn Haverbeke and others;
MIT license, see LICENSE beside this file. Made from live/editor, not to be edited.
*/
`;
const files = {
  "editor.js": head + outputFiles[0].text,
  LICENSE: `editor.js is made of these packages.\n\n${notices.join(`\n${"-".repeat(72)}\n\n`)}`,
};

for (const [name, content] of Object.entries(files)) {
  const path = new URL(name, target);
  if (!process.argv.includes("--check")) writeFileSync(path, content);
  else if (readFileSync(path, "utf8") !== content) {
    console.error(`book/_static/live/${name} is not what live/editor makes: run npm run build there`);
    process.exitCode = 1;
  }
}
