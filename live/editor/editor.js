// The editor of the pages that run: CodeMirror with the colors of the site, because its
// tokens carry the class names of Pygments.
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { python, pythonLanguage } from "@codemirror/lang-python";
import { bracketMatching, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { EditorView, keymap } from "@codemirror/view";
import { tagHighlighter, tags as t } from "@lezer/highlight";

const pygments = tagHighlighter([
  { tag: [t.keyword, t.operatorKeyword], class: "k" },
  { tag: [t.bool, t.null], class: "kc" },
  { tag: t.string, class: "s2" },
  { tag: t.number, class: "mi" },
  { tag: t.comment, class: "c1" },
  { tag: t.function(t.definition(t.variableName)), class: "nf" },
  { tag: t.operator, class: "o" },
]);

// Opens an editor in `parent`; `run` is called for Ctrl+Enter, `changed` after each edit.
export function open(parent, text, { label, help, run, changed }) {
  const enter = { run: () => (run(), true) };
  const narrow = matchMedia("(max-width: 48rem)").matches;
  const view = new EditorView({
    parent,
    doc: text,
    extensions: [
      keymap.of([
        { key: "Mod-Enter", ...enter },
        { key: "Shift-Enter", ...enter },
        indentWithTab, // Escape, then Tab leaves the editor
        ...defaultKeymap,
        ...historyKeymap,
      ]),
      history(),
      bracketMatching(),
      indentOnInput(),
      indentUnit.of("    "),
      python(),
      syntaxHighlighting(pygments),
      narrow ? EditorView.lineWrapping : [],
      EditorView.contentAttributes.of({
        "aria-label": label,
        "aria-describedby": help,
        tabindex: "0", // what can be scrolled has to be reached by Tab
      }),
      EditorView.updateListener.of((update) => update.docChanged && changed()),
    ],
  });
  return {
    focus: () => view.focus(),
    text: () => view.state.doc.toString(),
    // One step of the history, so that Ctrl+Z takes it back.
    replace: (insert) =>
      view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert } }),
    close: () => view.destroy(),
  };
}

// Whether a text reads as Python, as far as the editor can tell.
export function isPython(text) {
  let reads = true;
  pythonLanguage.parser.parse(text).iterate({ enter: ({ type }) => void (reads &&= !type.isError) });
  return reads;
}
