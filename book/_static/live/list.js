// All exercises of the book: their names, addresses, starters, checks and imports.

let loaded = null;

export async function list() {
  loaded ??= fetch(new URL("exercises.json", import.meta.url)).then((got) => {
    if (!got.ok) throw new Error("exercises.json did not arrive.");
    return got.json();
  });
  loaded.catch(() => (loaded = null)); // the next call tries again
  return loaded;
}

// Addresses in the list begin at the root of the site.
export const root = () => new URL(document.documentElement.dataset.content_root ?? "./", location.href);
