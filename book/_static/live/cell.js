// What exercises and chapters share: the parts of a cell that runs.

export const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

export const button = (textContent, onclick, className = "") =>
  make("button", { type: "button", textContent, onclick, className });

export const bar = (label, ...children) => {
  const element = make("div", { className: "live-bar" }, ...children);
  element.setAttribute("role", "group");
  element.setAttribute("aria-label", label);
  return element;
};

export const status = (live = true) => {
  const element = make("span", { className: "live-status" });
  if (live) element.setAttribute("role", "status");
  return element;
};

export const source = (cell) => cell.querySelector(".cell_input pre").textContent.trimEnd();

// The imports of the page, of which an answer gets what it uses.
export const imports = () =>
  [...document.querySelectorAll(".cell.live-imports")].map(source).join("\n");

let editors = 0;

// Puts an editor in the place of a cell's code.
export async function edit(cell, text, { label, run, changed }) {
  const { open } = await import("./editor.js");
  const input = cell.querySelector(".cell_input");
  const code = input.firstElementChild;
  const box = make("div", { className: "highlight live-editor" });
  const id = `live-keys-${++editors}`;
  const keys = "Ctrl+Enter runs. Tab indents; Escape, then Tab leaves the editor.";
  const help = make("p", { className: "live-help live-keys", id }, keys);
  code.hidden = true;
  code.after(box);
  input.after(help);
  // Sphinx would take "/" for its search: of editors it knows only text fields.
  box.addEventListener("keydown", (event) => event.stopPropagation());
  const editor = open(box, text, { label, help: id, run, changed });
  const close = () => {
    editor.close();
    box.remove();
    help.remove();
    code.hidden = false;
  };
  return { ...editor, close };
}

// How verdicts, and what the page says itself, begin.
const SENTENCES = /^([✔✘○] |Skipped|Left out|Python |MemoryError|This needs|The check )/m;

// What a cell prints and draws stands in the place of its published output.
export class Output {
  constructor(cell) {
    this.cell = cell;
    this.stored = cell.querySelector(":scope > .cell_output, :scope > figure > .cell_output");
    const drawn = this.stored?.querySelector("img, svg.course-drawing");
    this.alt = drawn?.alt ?? drawn?.getAttribute("aria-label") ?? "What the cell has drawn";
    this.box = make("div", { className: "cell_output docutils container live-output" });
    this.clear();
  }

  clear() {
    this.box.replaceChildren();
    this.box.classList.remove("course-drawn");
    this.pre = null;
    this.text = "";
    this.show(true);
  }

  isEmpty() {
    return !this.box.children.length;
  }

  // The own output, or the published one.
  show(own) {
    this.own = own;
    if (!own) this.box.remove();
    else if (this.stored) this.stored.after(this.box); // above the caption of a figure
    else this.cell.append(this.box);
    if (this.stored) this.stored.hidden = own;
  }

  print(text) {
    this.text += text;
    if (!this.pre) {
      this.pre = make("pre");
      const highlight = make("div", { className: "highlight" }, this.pre);
      this.box.append(make("div", { className: "output stream" }, highlight));
    }
    this.pre.append(text);
    // Sentences wrap, tables scroll; a claim looks as it does when it is published.
    const said = this.pre.textContent;
    this.pre.classList.toggle("verdict", SENTENCES.test(said));
    this.pre.classList.toggle("claim", /^[✔✘] [A-Z]+\d+[.\w]* · /m.test(said));
    this.pre.tabIndex = this.pre.scrollWidth > this.pre.clientWidth ? 0 : -1;
  }

  table(html) {
    this.box.append(make("div", { className: "output", innerHTML: html }));
    this.pre = null;
  }

  draw(text) {
    const [width, height, data] = text.split(" ");
    const image = make("img", { width, height, alt: this.alt, src: `data:image/png;base64,${data}` });
    this.box.append(make("div", { className: "output image_png" }, image));
    this.box.classList.add("course-drawn"); // no frame around it
    this.pre = null;
  }
}
