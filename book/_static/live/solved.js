// The page of all exercises: which of them this browser knows as solved.
import { make } from "./cell.js";
import { list, root } from "./list.js";
import * as store from "./store.js";

export function show(section) {
  const box = make("p", { className: "live-progress" });
  section.querySelector("h1").after(box);
  const refresh = () => paint(section, box).catch(console.warn);
  store.onOtherTab(refresh);
  return refresh();
}

async function paint(section, box) {
  for (const mark of section.querySelectorAll(".live-solved")) mark.remove();
  const yours = make("a", { href: "your-data.html" }, "Your data");
  const names = new Set(store.solved());
  const { exercises } = await list();
  const solved = exercises.filter(({ name }) => names.has(name));
  const next = exercises.find(({ name }) => !names.has(name));
  const link = ({ number, title, address }) =>
    make("a", { href: new URL(address, root()).href }, `${number} · ${title}`);
  const text = `Solved in this browser: ${solved.length} of ${exercises.length}. `;
  box.replaceChildren(text, ...(next ? ["Next: ", link(next), ". "] : []), "What it keeps: ", yours, ".");
  for (const { address } of solved) {
    const place = section.querySelector(`td a[href$="${address.replace(/^.*#/, "#")}"]`);
    place?.before(make("span", { className: "live-solved", title: "solved", ariaLabel: "solved", role: "img" }, "✔"), " ");
  }
}
