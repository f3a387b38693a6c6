// Read [[tex, displayMode], ...] as JSON, write [[html, error or null], ...].
const fs = require("fs");
const katex = require(process.argv[2]);

const em = (text) => parseFloat(text ?? "0");
const is = (node, name) => node?.classes?.[0] === name;

// What KaTeX stacks in a table: each row begins with a strut.
function stacked(node) {
  const table = node.children?.length === 1 && node.children[0];
  const rows = is(table, "vlist-t") ? table.children[0].children[0].children : [];
  return rows.every((row) => row.children.length === 2 && is(row.children[0], "pstrut")) ? rows : [];
}

// How far below the line a row stands.
const below = (row) => +(em(row.style.top) + em(row.children[0].style.height)).toFixed(4);

// Whether a letter stands on the line and a sign over it that is as wide everywhere.
function isAccent(node, [letter, sign]) {
  return node.classes?.includes("accent") && sign && !below(letter) && sign.children[1].classes.join() === "accent-body";
}

// KaTeX sets each index in a table of nine parts, an accent in one of seven, and each
// space as a part of its own: a third of a page with many formulas. An index alone can be
// a span that is moved, an accent can lie over its letter, and a space is the margin of
// what follows; every sign stays where it was.
function lighten(node) {
  const rows = stacked(node);
  if (is(node, "msupsub") && rows.length === 1) {
    Object.assign(node.style, rows[0].style, { position: "relative", top: `${below(rows[0])}em` });
    node.children = [rows[0].children[1]];
  } else if (isAccent(node, rows)) {
    const [{ children: [, letter] }, over] = rows;
    over.style = { position: "absolute", top: `${below(over)}em`, left: "0", right: "0", textAlign: "center" };
    over.children = [over.children[1]];
    over.children[0].style.display = "inline-block";
    Object.assign(node.style, { display: "inline-block", position: "relative" });
    node.children = [letter, over];
  }
  const parts = node.children ?? [];
  parts.forEach((part, at) => {
    const next = parts[at + 1];
    const isSpace = part.classes?.join() === "mspace" && Object.keys(part.style).join() === "marginRight";
    if (!isSpace || !next?.classes?.[0]?.startsWith("m") || is(next, "mspace") || next.style.marginLeft) return;
    next.style.marginLeft = part.style.marginRight;
    parts[at] = null;
  });
  if (node.children) node.children = parts.filter(Boolean);
  node.children?.forEach(lighten);
}

// The source is an attribute: as a part of the MathML it needs two others around it.
function name(tree, tex) {
  const math = tree.children[0].children[0];
  const [content] = math.children[0].children; // of <semantics>
  math.children = content.type === "mrow" ? content.children : [content];
  tree.setAttribute("data-tex", tex);
}

function markup(tex, options) {
  const tree = katex.__renderToDomTree(tex, options);
  const inner = options.displayMode ? tree.children[0] : tree; // of .katex-display
  lighten(inner.children[1]);
  name(inner, tex);
  return tree.toMarkup();
}

function render([tex, displayMode]) {
  const options = { displayMode, strict: "ignore" };
  try {
    return [markup(tex, options), null];
  } catch (error) {
    const shown = katex.renderToString(tex, { ...options, throwOnError: false });
    return [shown, error.message];
  }
}

const formulas = JSON.parse(fs.readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(formulas.map(render)));
