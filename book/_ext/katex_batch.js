// Read [[tex, displayMode], ...] as JSON, write [[html, error or null], ...].
const fs = require("fs");
const katex = require(process.argv[2]);

function render([tex, displayMode]) {
  const options = { displayMode, strict: "ignore" };
  try {
    return [katex.renderToString(tex, options), null];
  } catch (error) {
    const shown = katex.renderToString(tex, { ...options, throwOnError: false });
    return [shown, error.message];
  }
}

const formulas = JSON.parse(fs.readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(formulas.map(render)));
