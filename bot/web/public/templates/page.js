"use strict";
// What the page can do beyond links: copy, open a message in one tap, leave without a trace in this
// tab's history. Everything is there without it.
(() => {
  const all = (what) => document.querySelectorAll(what);
  const told = (element) => atob(element.closest("[data-way]").dataset.way).split("\n");

  for (const button of all("[data-copy]")) {
    // Browsers give a clipboard to secure pages only.
    if (!navigator.clipboard) continue;
    const word = button.textContent;
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(told(button)[0]);
      button.textContent = button.dataset.done;
      document.querySelector("[data-said]").textContent = button.dataset.done;
      setTimeout(() => { button.textContent = word; }, 2500);
    });
  }
  for (const link of all("[data-open]")) {
    link.addEventListener("click", (event) => {
      const way = told(link)[1];
      if (!way) return;
      event.preventDefault();
      location.assign(way);
    });
  }
  for (const link of all("[data-instead]")) {
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      location.replace(link.href);
    });
  }
  const exit = document.querySelector("[data-exit]");
  const leave = () => {
    document.title = "";
    document.body.hidden = true;
    location.replace(exit.href);
  };
  exit.addEventListener("click", (event) => { event.preventDefault(); leave(); });
  let pressed = -Infinity;
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    if (event.timeStamp - pressed < 1500) leave();
    pressed = event.timeStamp;
  });
})();
