// What this browser keeps: one entry for each answer, one for each solved exercise. The
// origin may be shared with other sites of the same owner, so all keys have a prefix.

const PREFIX = "batch-normalization-measured:";
const ANSWER = `${PREFIX}answer:`;
const SOLVED = `${PREFIX}solved:`;

// Where a private window keeps nothing, an answer lasts as long as the page.
const memory = new Map();
const inMemory = {
  getItem: (key) => memory.get(key) ?? null,
  setItem: (key, value) => memory.set(key, value),
  removeItem: (key) => memory.delete(key),
  keys: () => [...memory.keys()],
};

function usable() {
  try {
    localStorage.setItem(`${PREFIX}test`, "");
    localStorage.removeItem(`${PREFIX}test`);
    return localStorage;
  } catch {
    return null;
  }
}

const found = usable();
let place = found ?? inMemory;
export const isKept = () => place !== inMemory;

const keys = (start) =>
  (place === inMemory ? inMemory.keys() : Object.keys(place)).filter((key) => key.startsWith(start));

function put(key, value) {
  try {
    place.setItem(key, value);
  } catch {
    // The place is full: what was kept stays, the rest lasts as long as the page.
    for (const known of keys(PREFIX)) memory.set(known, place.getItem(known));
    place = inMemory;
    memory.set(key, value);
  }
}

function parse(text) {
  try {
    const entry = JSON.parse(text);
    return typeof entry?.code === "string" ? entry : null;
  } catch {
    return null; // not ours, or broken: as good as none
  }
}

// An answer is { code, starter, number, title, date }; the starter is the one it began with.
export const answer = (name) => parse(place.getItem(ANSWER + name));
export const saveAnswer = (name, entry) =>
  put(ANSWER + name, JSON.stringify({ ...entry, date: entry.date ?? new Date().toISOString() }));
export const eraseAnswer = (name) => place.removeItem(ANSWER + name);

// [name, answer] of each, the latest first.
export function answers() {
  const all = keys(ANSWER).map((key) => [key.slice(ANSWER.length), parse(place.getItem(key))]);
  const date = ([, entry]) => entry.date ?? "";
  return all.filter(([, entry]) => entry).sort((a, b) => date(b).localeCompare(date(a)));
}

// A solved exercise is known by the date on which it was.
export const solvedOn = (name) => place.getItem(SOLVED + name);
export const solved = () => keys(SOLVED).map((key) => key.slice(SOLVED.length));
export const saveSolved = (name, date = new Date().toISOString()) =>
  solvedOn(name) ?? put(SOLVED + name, date);
export const eraseSolved = (name) => place.removeItem(SOLVED + name);

// Keys of what reader.js keeps: predictions, and sections that were read.
export const others = () => [...keys(`${PREFIX}predict:`), ...keys(`${PREFIX}read:`)];

export function eraseAll() {
  for (const key of keys(PREFIX)) place.removeItem(key);
}

// Calls `listener(name, answer)` when another tab has written an answer, null if it erased
// it, and `listener()` when anything else of ours has changed there; `abort()` of what it
// returns ends that.
export function onOtherTab(listener) {
  const control = new AbortController();
  const hear = ({ key, newValue }) => {
    if (key?.startsWith(ANSWER)) listener(key.slice(ANSWER.length), parse(newValue));
    else if (!key || key.startsWith(PREFIX)) listener();
  };
  addEventListener("storage", hear, { signal: control.signal });
  return control;
}
