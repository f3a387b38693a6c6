// Make a figure alive when it comes near; until then the page carries its picture only.
"use strict";

{
  const folder = document.currentScript.src.replace(/load\.js.*$/, "");

  function load(figure) {
    const name = figure.dataset.explore;
    // A script makes all figures of its name alive, and a later one needs it again.
    if (document.querySelector(`script[data-for="${name}"]`)) return;
    const script = document.createElement("script");
    script.src = `${folder}${name}.js`;
    script.dataset.for = name;
    script.addEventListener("load", () => script.remove());
    document.head.append(script);
  }

  const near = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        if (!isIntersecting) continue;
        near.unobserve(target);
        load(target);
      }
    },
    { rootMargin: "800px" },
  );

  function look(node) {
    if (node.nodeType !== Node.ELEMENT_NODE) return;
    const inside = [...node.querySelectorAll("[data-explore]:not(.bn-alive)")];
    if (node.matches("[data-explore]:not(.bn-alive)")) inside.push(node);
    inside.forEach((figure) => near.observe(figure));
  }

  look(document.body);
  // A cell that was run on the page shows its figure later.
  const added = (changes) => changes.forEach(({ addedNodes }) => addedNodes.forEach(look));
  new MutationObserver(added).observe(document.body, { childList: true, subtree: true });
}
