// Buttons that make the page run. It is complete without them, and nothing but this
// script is loaded before a reader presses one.
(() => {
  "use strict";
  const live = document.currentScript.dataset.live;
  const PREFIX = "batch-normalization-measured:"; // as in store.js
  const LOST = "This could not be loaded. Is there a connection?";
  const served = location.protocol.startsWith("http");

  const make = (tag, properties, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  const help = (...children) => make("span", { className: "live-help" }, ...children);
  const bar = () => make("div", { className: "live-bar" });
  const code = (text) => make("code", {}, text);

  const stored = () => {
    try {
      return localStorage;
    } catch {
      return {}; // blocked
    }
  };
  const has = (key) => PREFIX + key in stored();

  function style() {
    if (document.querySelector("link[data-live]")) return;
    const link = make("link", { rel: "stylesheet", href: `${live}live.css` });
    link.dataset.live = "";
    document.head.append(link);
  }

  let tries = 0; // a browser may remember that a module could not be loaded
  const load = (name) => {
    style();
    const again = tries ? `?try=${tries}` : "";
    return import(new URL(live + name + again, location.href)).catch((error) => {
      tries += 1;
      throw error;
    });
  };

  // A button in a line of the page. `open` of the module gets the cells and a function
  // that brings the button back.
  function offer(line, what, module, about, label) {
    if (!served) {
      const how = [" To run it here, enter ", code("python -m http.server"), " in the folder of the site, or "];
      line.replaceChildren(help("This page was opened as a file.", ...how, code("make serve"), " in that of the project."));
      return;
    }
    const go = make("button", { type: "button", className: "live-run" });
    const mark = make("span", { className: "live-solved" });
    const note = help();
    note.setAttribute("role", "status");
    const show = () => {
      [go.textContent, mark.textContent] = label();
      note.textContent = about;
      line.hidden = false;
    };
    go.onclick = async () => {
      go.textContent = "Loading …";
      try {
        await (await load(module)).open({ ...what, line }, () => (show(), go.focus()));
        line.hidden = true;
      } catch (error) {
        console.warn(error);
        go.textContent = "Try again";
        note.textContent = tries > 1 ? `${LOST} If there is, reload the page.` : LOST;
      }
    };
    show();
    line.replaceChildren(go, mark, note);
  }

  const runs = (size) => `Runs in your browser: loads Python once (${size}) and sends nothing.`;

  for (const starter of document.querySelectorAll(".cell.live-starter")) {
    const [, name] = starter.nextElementSibling.textContent.match(/check\(\s*"([\w-]+)"/);
    const line = bar();
    starter.querySelector(".cell_input").after(line);
    offer(line, { starter, name }, "exercise.js", runs("about 10 MB"), () => [
      has(`answer:${name}`) ? "Go on with your answer" : "Answer on this page",
      has(`solved:${name}`) ? "✔ Solved" : "",
    ]);
  }

  const cells = document.querySelectorAll(".cell.live-cell");
  if (cells.length) {
    // The button stands there already, so that nothing moves: now it is made to work. Its
    // line stays: where another takes its place, a browser styles the whole page again.
    const line = document.querySelector(".live-place");
    const [name, about] = ["button", ".live-help"].map((part) => line.querySelector(part).textContent);
    line.className = "live-bar";
    offer(line, { cells }, "chapter.js", about, () => [name, ""]);
  }

  // Two pages that show what this browser keeps: one of them only if there is something.
  const show = (id, module) => {
    const section = document.querySelector(`article > section#${id}`);
    if (section && served) load(module).then((page) => page.show(section), console.warn);
  };
  show("your-data", "yourdata.js");
  if (Object.keys(stored()).some((key) => key.startsWith(`${PREFIX}solved:`))) show("exercises", "solved.js");
})();
