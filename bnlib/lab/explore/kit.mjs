// What the explorables share: words, shapes, and what makes a picture alive.
//
// A picture is a pure function of its state, `draw(state)`, that returns SVG as text.
// So node can draw it for the page that has no script, and the tests can look at it.

// --- words ---------------------------------------------------------------------------

/** Return a number as text, with a real minus and never as "−0.00". */
export function num(value, places = 2) {
  const text = Math.abs(value).toFixed(places);
  return (value < 0 && Number(text) !== 0 ? "−" : "") + text;
}

/** The same, with its sign in front, for a change. */
export function change(value, places = 2) {
  const text = num(value, places);
  return text.startsWith("−") || Number(text) === 0 ? text : `+${text}`;
}

// --- shapes --------------------------------------------------------------------------

const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escaped = (text) => String(text).replace(/[&<>"]/g, (sign) => ENTITIES[sign]);
const short = (value) =>
  typeof value === "number" ? String(Math.round(value * 100) / 100 + 0) : value;

/** Return an element as text; attributes that are null or false are left out. */
export function tag(name, attributes, ...inside) {
  const pairs = Object.entries(attributes)
    .filter(([, value]) => value != null && value !== false)
    .map(([key, value]) => ` ${key}="${escaped(short(value))}"`);
  return `<${name}${pairs.join("")}>${inside.flat(9).join("")}</${name}>`;
}

export const group = (attributes, ...inside) => tag("g", attributes, ...inside);
export const circle = (cx, cy, r, cls) => tag("circle", { cx, cy, r, class: cls });
export const path = (d, cls) => tag("path", { d, class: cls });

export function line(x1, y1, x2, y2, cls) {
  return tag("line", { x1, y1, x2, y2, class: cls });
}

export function rect(x, y, width, height, cls, more = {}) {
  return tag("rect", { x, y, width, height, class: cls, ...more });
}

/** A bar from `zero` to `tip`, also where the tip lies above it. */
export function bar(x, width, zero, tip, cls) {
  return rect(x, Math.min(zero, tip), width, Math.abs(tip - zero), cls);
}

/** Text; `anchor` is start, middle or end. */
export function words(x, y, text, anchor = "start", cls = null) {
  const place = anchor === "start" ? null : anchor;
  return tag("text", { x, y, "text-anchor": place, class: cls }, escaped(text));
}

/** What can be dragged: a shape, a ring for the focus, and room for a finger. */
export function handle(key, x, y, cls) {
  return group(
    { "data-handle": key, transform: `translate(${short(x)} ${short(y)})` },
    circle(0, 0, 17, "bn-room"),
    circle(0, 0, 11, "bn-ring"),
    circle(0, 0, 6.5, cls),
  );
}

export const clamp = (value, min, max) => Math.min(max, Math.max(min, value));

// --- alive ---------------------------------------------------------------------------

const SVG = "http://www.w3.org/2000/svg";
// What the page adds to the shapes, and a new picture must not take away.
const OURS = /^(role|tabindex|aria-.*)$/;

/** Make one tree like another, element by element, so that the focus stays. */
function patch(old, next) {
  if (old.nodeName !== next.nodeName) return old.replaceWith(next);
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== next.data) old.data = next.data;
    return undefined;
  }
  for (const { name, value } of next.attributes)
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  for (const { name } of [...old.attributes])
    if (!next.hasAttribute(name) && !OURS.test(name)) old.removeAttribute(name);
  const before = [...old.childNodes];
  const after = [...next.childNodes];
  before.slice(after.length).forEach((node) => node.remove());
  after.forEach((node, i) => (i < before.length ? patch(before[i], node) : old.append(node)));
  return undefined;
}

function element(name, attributes = {}, ...inside) {
  const node = document.createElement(name);
  Object.entries(attributes).forEach(([key, value]) => node.setAttribute(key, value));
  node.append(...inside);
  return node;
}

let count = 0;

/** Make the controls of an explorable; each returns what brings it up to date. */
const CONTROLS = {
  range(control, id, get, set) {
    const { key, label, min, max, step, show } = control;
    const input = element("input", { type: "range", id, min, max, step });
    const output = element("output", { for: id, "aria-hidden": "true" });
    input.addEventListener("input", () => set(key, Number(input.value)));
    const node = element(
      "div",
      { class: "bn-range" },
      element("label", { for: id }, label),
      output,
      input,
    );
    const update = () => {
      input.value = get()[key];
      output.textContent = show(get()[key], get());
      input.setAttribute("aria-valuetext", output.textContent);
    };
    return { node, update, fields: [input] };
  },
  choice(control, id, get, set) {
    const { key, label, options } = control;
    const fields = options.map(([value]) =>
      element("input", { type: "radio", name: id, id: `${id}-${value}`, value }),
    );
    const names = options.map(([value, name], i) => {
      fields[i].addEventListener("change", () => set(key, value));
      return element("label", { for: `${id}-${value}` }, fields[i], name);
    });
    const node = element("fieldset", {}, element("legend", {}, label), ...names);
    const update = () =>
      options.forEach(([value], i) => (fields[i].checked = get()[key] === value));
    return { node, update, fields };
  },
  button(control, id, get, set) {
    const node = element("button", { type: "button" }, control.label);
    node.addEventListener("click", () => set(control.key, control.act(get())));
    return { node, update: () => {}, fields: [node] };
  },
};

const KEYS = {
  ArrowUp: 1,
  ArrowRight: 1,
  ArrowDown: -1,
  ArrowLeft: -1,
  PageUp: 10,
  PageDown: -10,
  Home: -Infinity,
  End: Infinity,
};

/** Make one figure alive: picture, controls, and a sentence that follows. */
export function mount(root, it) {
  let state = structuredClone(it.start);
  const get = () => state;
  const svg = document.createElementNS(SVG, "svg");
  const [width, height] = it.size;
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("class", "bn-svg");
  svg.setAttribute("role", "group");
  svg.setAttribute("aria-label", it.title);
  const said = element("p", { class: "bn-said", "aria-live": "polite" });
  const side = element("div", { class: "bn-side" });
  const handles = new Map((it.handles ?? []).map((one) => [one.key, one]));
  let dragging = null;
  let quiet = 0;

  const settle = (next) => {
    state = it.settle ? it.settle(next, state) : next;
    show();
  };
  const set = (key, value) => settle(it.set ? it.set(state, key, value) : { ...state, [key]: value });

  const parts = it.controls.map((control) => {
    const made = CONTROLS[control.kind](control, `bn-${it.name}-${(count += 1)}`, get, set);
    side.append(made.node);
    return { ...made, control };
  });
  const again = element("button", { type: "button", class: "bn-again" }, "Start again");
  again.addEventListener("click", () => settle(structuredClone(it.start)));
  side.append(again);

  function show() {
    const next = document.createElementNS(SVG, "svg");
    for (const { name, value } of svg.attributes) next.setAttribute(name, value);
    next.innerHTML = it.draw(state);
    patch(svg, next);
    for (const node of svg.querySelectorAll("[data-handle]")) {
      const one = handles.get(node.dataset.handle);
      const value = one.get(state);
      const said = { role: "slider", tabindex: "0", "aria-label": one.label };
      const limits = { "aria-valuemin": one.min, "aria-valuemax": one.max };
      const now = { "aria-valuenow": value, "aria-valuetext": one.show(value, state) };
      const turned = one.upright ? { "aria-orientation": "vertical" } : {};
      Object.entries({ ...said, ...limits, ...now, ...turned }).forEach(([name, text]) =>
        node.setAttribute(name, text),
      );
    }
    parts.forEach(({ update, fields, control }) => {
      update();
      fields.forEach((field) => (field.disabled = Boolean(control.off?.(state))));
    });
    const sentence = it.say(state);
    if (said.textContent !== sentence) {
      // A screen reader waits until the hand rests.
      said.setAttribute("aria-busy", "true");
      said.textContent = sentence;
      clearTimeout(quiet);
      quiet = setTimeout(() => said.removeAttribute("aria-busy"), 400);
    }
  }

  const move = (one, value) => {
    const steps = Math.round((value - one.min) / one.step);
    const exact = Number((one.min + steps * one.step).toFixed(6));
    settle(one.set(state, clamp(exact, one.min, one.max)));
  };
  const where = (event) =>
    new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());

  svg.addEventListener("pointerdown", (event) => {
    const node = event.target.closest("[data-handle]");
    if (node) {
      const one = handles.get(node.dataset.handle);
      const point = where(event);
      dragging = { one, shift: one.get(state) - one.value(point.x, point.y, state) };
      svg.setPointerCapture(event.pointerId);
      node.focus({ preventScroll: true });
      event.preventDefault();
    } else if (it.tap && event.target.dataset.tap) {
      settle(it.tap(state, event.target.dataset.tap));
    }
  });
  svg.addEventListener("pointermove", (event) => {
    if (!dragging) return;
    const point = where(event);
    move(dragging.one, dragging.one.value(point.x, point.y, state) + dragging.shift);
  });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"])
    svg.addEventListener(end, () => (dragging = null));
  svg.addEventListener("keydown", (event) => {
    const node = event.target.closest("[data-handle]");
    if (!node || !(event.key in KEYS) || event.altKey || event.ctrlKey || event.metaKey) return;
    const one = handles.get(node.dataset.handle);
    move(one, one.get(state) + KEYS[event.key] * one.step * (one.coarse ?? 1));
    event.preventDefault();
  });

  const picture = element("div", { class: "bn-picture" }, svg);
  root.replaceChildren(element("div", { class: "bn-inside" }, picture, side, said));
  root.classList.add("bn-explore", "bn-alive");
  // JupyterLab would take the arrow keys for itself.
  root.dataset.lmSuppressShortcuts = "true";
  show();
}
